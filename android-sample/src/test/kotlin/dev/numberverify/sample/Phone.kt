package dev.numberverify.sample

import android.content.Intent
import android.os.Looper
import android.view.View
import android.widget.EditText
import android.widget.TextView
import org.junit.Assert.assertEquals
import org.robolectric.Robolectric
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.shadows.ShadowPausedLooper
import java.util.concurrent.TimeUnit

/** A person with the app in hand: types, clicks, and waits for what the screen shows. */
class Phone(intent: Intent) : AutoCloseable {
    private val controller: ActivityController<VerifyActivity> =
        Robolectric.buildActivity(VerifyActivity::class.java, intent).setup()

    /** Another one after a rotation. */
    val activity: VerifyActivity get() = controller.get()

    fun <V : View> view(id: Int): V = activity.findViewById(id)

    fun shows(id: Int): Boolean = view<View>(id).isShown

    fun text(id: Int): String = view<TextView>(id).text.toString()

    fun string(id: Int): String = activity.getString(id)

    fun type(number: String) = view<EditText>(R.id.phone_number).setText(number)

    /** As a finger would: only what can be seen and is enabled. */
    fun click(id: Int) {
        await("the button ${activity.resources.getResourceEntryName(id)}") { shows(id) && view<View>(id).isEnabled }
        view<View>(id).performClick()
        idle()
    }

    fun verify(number: String) {
        type(number)
        click(R.id.verify)
    }

    fun awaitVerdict(title: Int) {
        await("the end") { shows(R.id.verdict) }
        assertEquals(string(title), text(R.id.verdict_title))
    }

    /** What TalkBack says about a step. */
    fun saidAbout(step: Int): String {
        val row = view<android.view.ViewGroup>(R.id.steps).getChildAt(step)
        return row.findViewById<View>(R.id.step_row).contentDescription.toString()
    }

    /** How many hosts are listed. */
    val hops: Int get() = activity.window.decorView.descendants().count { it.isShown && it.id == R.id.hop_host }

    /** Every text that can be seen now. */
    fun everything(): String = activity.window.decorView.texts().joinToString("\n")

    fun rotate(qualifiers: String) {
        org.robolectric.RuntimeEnvironment.setQualifiers(qualifiers)
        controller.configurationChange()
        idle()
    }

    override fun close() {
        controller.pause().stop().destroy()
    }

    /** Runs the main thread's messages as they come, until the condition holds. */
    fun await(what: String, condition: () -> Boolean) {
        val looper = shadowOf(Looper.getMainLooper()) as ShadowPausedLooper
        val end = System.nanoTime() + TimeUnit.SECONDS.toNanos(HANG_S)
        looper.idle()
        while (!condition()) {
            check(System.nanoTime() < end) { "waited in vain for $what; the screen shows:\n${everything()}" }
            looper.poll(TimeUnit.SECONDS.toMillis(HANG_S))
            looper.idle()
        }
    }

    companion object {
        private const val HANG_S = 30L

        fun idle() = shadowOf(Looper.getMainLooper()).idle()

        /** Scrolling ends and its bar fades: on the looper's clock, which takes no time. */
        fun settle() = shadowOf(Looper.getMainLooper()).idleFor(3, TimeUnit.SECONDS)

        fun View.descendants(): Sequence<View> =
            sequence {
                yield(this@descendants)
                if (this@descendants is android.view.ViewGroup) {
                    for (index in 0 until childCount) yieldAll(getChildAt(index).descendants())
                }
            }

        private fun View.texts() = descendants().filter { it.isShown }.filterIsInstance<TextView>().map { it.text.toString() }
    }
}
