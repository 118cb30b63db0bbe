package dev.numberverify.sample.check

import android.Manifest
import android.content.ComponentName
import android.content.Intent
import android.os.Looper
import android.view.View
import android.widget.TextView
import dev.numberverify.sample.Development
import dev.numberverify.sample.Gate
import dev.numberverify.sample.Phone
import dev.numberverify.sample.R
import dev.numberverify.sample.Settings
import dev.numberverify.sample.intent
import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.launch
import org.json.JSONObject
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowPausedLooper
import java.io.File
import java.util.concurrent.TimeUnit

/**
 * The check with the real library against the simulator, on loopback. Without a cellular network,
 * nothing that depends on one may pass.
 */
@RunWith(RobolectricTestRunner::class)
class CheckActivityTest {
    /** A verification takes longer than the request of the check meanwhile, as over cellular. */
    private val simulator = Simulator("--fault", "slow-hop")
    private val looper = shadowOf(Looper.getMainLooper()) as ShadowPausedLooper

    @After
    fun stop() = simulator.close()

    @Test
    fun `on loopback, the library verifies, and nothing about cellular passes`() {
        val controller = Robolectric.buildActivity(CheckActivity::class.java, checkIntent().putExtra(Development.ATTENDED, false)).setup()
        val report = await(File(controller.get().filesDir, CheckSession.FILE))
        val results =
            report.getJSONArray("steps").let { steps ->
                List(steps.length(), steps::getJSONObject).associateBy { it.getString("id") }
            }
        val first = results.getValue("first")
        assertEquals("$first", "verified", first.getJSONObject("facts").getString("outcome"))
        assertEquals("The sockets were not bound to a cellular network (unbound).", first.getString("reason"))
        assertEquals("failed", results.getValue("addresses").getString("outcome"))
        assertEquals(
            "A request to the operator’s side came from the default network’s address.",
            results.getValue("addresses").getString("reason"),
        )
        assertEquals("passed", results.getValue("other_traffic").getString("outcome"))
        assertTrue("the hop memory", results.getValue("memory").getJSONObject("facts").getInt("opened_ahead") > 0)
        assertEquals("skipped", results.getValue("data_off").getString("outcome"))
        val passed = results.values.filter { it.getString("outcome") == "passed" }.map { it.getString("id") }
        assertEquals("only what needs no cellular network", listOf("other_traffic"), passed)
        val verifications = report.getJSONArray("verifications").let { runs -> List(runs.length(), runs::getJSONObject) }
        assertEquals(listOf("first", "memory", "prepare", "last"), verifications.map { it.getString("step") })
        val runs = verifications.associate { it.getString("step") to Run.of(it.getJSONObject("trace")) }
        assertFalse("without prepare(), connections are of the verification", runs.getValue("memory").usesPrepared())
        assertTrue("prepare() has opened connections", runs.getValue("prepare").usesPrepared())
        val text = report.toString()
        for (secret in listOf("4155550100", "127.0.0.1", "code=", "state=", "correlator")) assertFalse(text, secret in text)
        assertTrue(
            controller
                .get()
                .findViewById<TextView>(R.id.check_progress)
                .text
                .toString(),
            "1 of 14 passed" in text(controller.get(), R.id.check_progress),
        )
        controller.pause().stop().destroy()
    }

    /** The operator's hosts are reached through relays, which the simulator sees as another network. */
    @Test
    fun `connections of the library from another address are recognized`() {
        val hosts = simulator.hosts.map { it.split(':', limit = 3) }
        val relays = hosts.map { it[1].toInt() }.distinct().associateWith { Gate("", it, CELLULAR).apply(Gate::open) }
        val resolve =
            hosts.map { (host, port, own) ->
                "$host:$port:${if (host.startsWith("backend")) own else relays.getValue(port.toInt()).address}"
            }
        val intent = checkIntent().putExtra(Development.ATTENDED, false).putExtra(Development.RESOLVE, resolve.toTypedArray())
        val controller = Robolectric.buildActivity(CheckActivity::class.java, intent).setup()
        val report = await(File(controller.get().filesDir, CheckSession.FILE))
        val addresses = report.getJSONArray("steps").getJSONObject(CheckStep.ADDRESSES.ordinal)
        assertEquals("$addresses", "passed", addresses.getString("outcome"))
        assertEquals("yes", addresses.getJSONObject("facts").getString("differs"))
        assertFalse("the address is not in the report", CELLULAR in report.toString())
        controller.pause().stop().destroy()
        relays.values.forEach(Gate::close)
    }

    /** What runs while cellular is held is no evidence if it ends later. */
    @Test
    fun `the end of a verification cancels what runs meanwhile`() {
        val app = RuntimeEnvironment.getApplication()
        val settings = Settings(simulator.backend("b"), anyNetwork = true, null)
        val platform = AndroidCheckPlatform(app, Development.of(app, checkIntent())!!, settings, Simulator.NUMBER)
        val events = mutableListOf<String>()
        val verification =
            MainScope().launch {
                val run =
                    platform.verify {
                        events += "held"
                        try {
                            awaitCancellation()
                        } finally {
                            events += "cancelled"
                        }
                    }
                events += run.outcome
            }
        val deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1)
        while (!verification.isCompleted && System.nanoTime() < deadline) {
            looper.poll(20)
            looper.idle()
        }
        platform.close()
        assertEquals(listOf("held", "cancelled", "verified"), events)
    }

    @Test
    fun `only adb and this app can start it`() {
        val app = RuntimeEnvironment.getApplication()
        val declared = app.packageManager.getActivityInfo(ComponentName(app, CheckActivity::class.java), 0)
        assertEquals(Manifest.permission.DUMP, declared.permission)
    }

    @Test
    fun `a step shows its instruction, and the person skips it`() {
        val controller = Robolectric.buildActivity(CheckActivity::class.java, checkIntent()).setup()
        looper.idle()
        val activity = controller.get()
        assertTrue(activity.findViewById<View>(R.id.check_prompt).isShown)
        assertTrue(activity.findViewById<View>(R.id.check_screen).keepScreenOn)
        assertEquals(CheckStep.CONDITIONS.instruction, text(activity, R.id.check_prompt_text))
        activity.findViewById<View>(R.id.check_skip).performClick()
        looper.idle()
        val row = activity.findViewById<View>(R.id.step_row)
        assertEquals("Wi-Fi and mobile data: skipped. The person skipped it.", row.contentDescription)
        activity.findViewById<View>(R.id.check_share).performClick()
        assertEquals(Intent.ACTION_CHOOSER, shadowOf(activity).nextStartedActivity.action)
        controller.pause().stop().destroy()
    }

    @Test
    @GraphicsMode(GraphicsMode.Mode.NATIVE)
    fun `buttons are large enough, and no text is clipped at twice the font size`() {
        RuntimeEnvironment.setFontScale(2f)
        val controller = Robolectric.buildActivity(CheckActivity::class.java, checkIntent()).setup()
        looper.idle()
        val activity = controller.get()
        val minSize = 48 * activity.resources.displayMetrics.density
        for (id in listOf(R.id.check_continue, R.id.check_skip, R.id.check_share)) {
            val button = activity.findViewById<View>(id)
            assertTrue("$button", button.height >= minSize && button.width >= minSize)
        }
        for (id in listOf(R.id.check_prompt_text, R.id.check_progress, R.id.step_title, R.id.step_what)) {
            val view = activity.findViewById<TextView>(id)
            assertTrue("${view.text}", view.height >= view.layout.height + view.totalPaddingTop + view.totalPaddingBottom)
        }
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_ASSERTIVE, activity.findViewById<View>(R.id.check_prompt_text).accessibilityLiveRegion)
        controller.pause().stop().destroy()
    }

    @Test
    fun `the first screen opens the check with its settings`() =
        Phone(simulator.intent()).use { phone ->
            phone.type(R.id.phone_number, Simulator.NUMBER)
            phone.click(R.id.check)
            val started = shadowOf(phone.activity).nextStartedActivity
            assertEquals(CheckActivity::class.java.name, started.component?.className)
            assertEquals(Simulator.NUMBER, started.getStringExtra(Development.PHONE_NUMBER))
            assertEquals(simulator.backend("b"), started.getStringExtra(Development.BACKEND))
            assertEquals(simulator.root, started.getStringExtra(Development.ROOT_CERTIFICATE))
        }

    private fun Run.usesPrepared() = hops.any { it.isOpenedAhead && it.host !in openedAhead }

    private fun checkIntent() =
        simulator
            .intent()
            .putExtra(Development.PHONE_NUMBER, Simulator.NUMBER)
            .putExtra(Development.OBSERVED, simulator.observed)
            .putExtra(Development.DNS_HOST, "localhost")

    private fun text(
        activity: CheckActivity,
        id: Int,
    ) = activity.findViewById<TextView>(id).text.toString()

    /** Processes the main thread's messages until the report is finished. */
    private fun await(file: File): JSONObject {
        val deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(2)
        var text = ""
        while (System.nanoTime() < deadline) {
            looper.poll(20)
            looper.idle()
            text = if (file.exists()) file.readText() else ""
            if (text.isNotEmpty() && JSONObject(text).getBoolean("finished")) return JSONObject(text)
        }
        error("the check did not finish: $text")
    }

    private companion object {
        const val CELLULAR = "127.0.1.1"
    }
}
