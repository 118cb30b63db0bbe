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

/**
 * Simulates a user of the app: types, clicks, and waits for what the screen shows. Closing it ends
 * the app.
 */
class Phone(
    intent: Intent,
) : AutoCloseable {
    private val controller: ActivityController<VerifyActivity> =
        Robolectric.buildActivity(VerifyActivity::class.java, intent).setup()
    private val looper = shadowOf(Looper.getMainLooper()) as ShadowPausedLooper

    /** A new one after a rotation. */
    val activity: VerifyActivity get() = controller.get()

    /** All visible views. */
    val views: List<View>
        get() =
            activity.window.decorView
                .descendants()
                .filter { it.isShown }
                .toList()

    /** All visible texts. */
    val texts: String
        get() = views.filterIsInstance<TextView>().joinToString("\n") { it.text }

    /** The number of listed hosts. */
    val hops: Int get() = views.count { it.id == R.id.hop_host }

    fun <V : View> view(id: Int): V = activity.findViewById(id)

    fun shows(id: Int): Boolean = view<View>(id).isShown

    fun text(id: Int): String = view<TextView>(id).text.toString()

    fun type(
        id: Int,
        text: String,
    ) = view<EditText>(id).setText(text)

    /** Clicks a view that is visible and enabled. */
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

    /** Waits for the result if another card is already shown. */
    fun awaitVerified() = await("the result") { text(R.id.verdict_title) == activity.getString(R.string.verified) }

    /** The texts that TalkBack reads for the four steps. */
    val stepDescriptions: List<String>
        get() = views.filter { it.id == R.id.step_row }.map { it.contentDescription.toString() }

    /** Rotates the phone to these qualifiers: [LANDSCAPE] or [PORTRAIT]. */
    fun rotate(qualifiers: String) {
        RuntimeEnvironment.setQualifiers(qualifiers)
        controller.recreate()
        looper.idle()
    }

    /** Switches to another app and back. */
    fun leaveAndReturn() {
        controller
            .pause()
            .stop()
            .start()
            .resume()
        looper.idle()
    }

    /** Processes the main thread's messages until the condition holds. */
    fun await(
        what: String,
        condition: () -> Boolean,
    ) {
        val deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_S)
        looper.idle()
        while (!condition()) {
            check(System.nanoTime() < deadline) { "timed out waiting for $what; the screen shows:\n$texts" }
            looper.poll(POLL_INTERVAL_MS)
            looper.idle()
        }
    }

    /** Lets scrolling finish, on the looper's clock, which takes no real time. */
    fun settle() = looper.idleFor(3, TimeUnit.SECONDS)

    override fun close() {
        controller.pause().stop().destroy()
        looper.idle()
    }

    companion object {
        const val LANDSCAPE = "+w891dp-h411dp-land"
        const val PORTRAIT = "+w411dp-h891dp-port"
        private const val TIMEOUT_S = 60L

        /** For conditions that become true without a message to the main thread. */
        private const val POLL_INTERVAL_MS = 20L

        private fun View.descendants(): Sequence<View> =
            sequence {
                yield(this@descendants)
                if (this@descendants is ViewGroup) {
                    for (index in 0 until childCount) yieldAll(getChildAt(index).descendants())
                }
            }
    }
}
