package dev.numberverify.sample

import android.content.Intent
import android.os.Looper
import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.TextView
import org.junit.Assert.assertEquals
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.shadows.ShadowPausedLooper
import java.util.concurrent.TimeUnit

/** A person with the app in hand: types, clicks, and waits for what the screen shows. Closing it ends the app. */
class Phone(
    intent: Intent,
) : AutoCloseable {
    private val controller: ActivityController<VerifyActivity> =
        Robolectric.buildActivity(VerifyActivity::class.java, intent).setup()
    private val looper = shadowOf(Looper.getMainLooper()) as ShadowPausedLooper

    /** Another one after a rotation. */
    val activity: VerifyActivity get() = controller.get()

    /** All that can be seen. */
    val views: List<View>
        get() =
            activity.window.decorView
                .descendants()
                .filter { it.isShown }
                .toList()

    /** Every text that can be seen. */
    val texts: String
        get() = views.filterIsInstance<TextView>().joinToString("\n") { it.text }

    /** How many hosts are listed. */
    val hops: Int get() = views.count { it.id == R.id.hop_host }

    fun <V : View> view(id: Int): V = activity.findViewById(id)

    fun shows(id: Int): Boolean = view<View>(id).isShown

    fun text(id: Int): String = view<TextView>(id).text.toString()

    fun type(
        id: Int,
        text: String,
    ) = view<EditText>(id).setText(text)

    /** As a finger would: only what can be seen and is enabled. */
    fun click(id: Int) {
        await("a button to click") { shows(id) && view<View>(id).isEnabled }
        view<View>(id).performClick()
        looper.idle()
    }

    fun verify(number: String) {
        type(R.id.phone_number, number)
        click(R.id.verify)
    }

    fun awaitCard(title: Int) {
        await("the end") { shows(R.id.verdict) }
        assertEquals(activity.getString(title), text(R.id.verdict_title))
    }

    /** If another card is there already. */
    fun awaitVerified() = await("the result") { text(R.id.verdict_title) == activity.getString(R.string.verified) }

    /** What TalkBack reads for the four steps. */
    val stepDescriptions: List<String>
        get() = views.filter { it.id == R.id.step_row }.map { it.contentDescription.toString() }

    /** Turns the phone, by the qualifiers of how it then lies: [LANDSCAPE] or [PORTRAIT]. */
    fun rotate(qualifiers: String) {
        RuntimeEnvironment.setQualifiers(qualifiers)
        controller.recreate()
        looper.idle()
    }

    /** To another app and back. */
    fun leaveAndReturn() {
        controller
            .pause()
            .stop()
            .start()
            .resume()
        looper.idle()
    }

    /** Runs the main thread's messages as they come, until the condition holds. */
    fun await(
        what: String,
        condition: () -> Boolean,
    ) {
        val end = System.nanoTime() + TimeUnit.SECONDS.toNanos(HANG_S)
        looper.idle()
        while (!condition()) {
            check(System.nanoTime() < end) { "waited in vain for $what; the screen shows:\n$texts" }
            looper.poll(LOOK_AGAIN_MS)
            looper.idle()
        }
    }

    /** Scrolling ends: on the looper's clock, which takes no time. */
    fun settle() = looper.idleFor(3, TimeUnit.SECONDS)

    override fun close() {
        controller.pause().stop().destroy()
        looper.idle()
    }

    companion object {
        const val LANDSCAPE = "+w891dp-h411dp-land"
        const val PORTRAIT = "+w411dp-h891dp-port"
        private const val HANG_S = 60L

        /** For conditions that come true without a message to the main thread. */
        private const val LOOK_AGAIN_MS = 20L

        private fun View.descendants(): Sequence<View> =
            sequence {
                yield(this@descendants)
                if (this@descendants is ViewGroup) {
                    for (index in 0 until childCount) yieldAll(getChildAt(index).descendants())
                }
            }
    }
}
