package dev.numberverify.sample

import android.content.Context
import android.content.Intent
import android.net.ConnectivityManager
import android.net.NetworkCapabilities
import android.os.SystemClock
import androidx.test.platform.app.InstrumentationRegistry
import dev.numberverify.sample.check.CheckActivity
import dev.numberverify.sample.check.CheckSession
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File

/**
 * The device check on a phone, without a person: `scripts/device-check android`, which passes the
 * simulator's settings as arguments. Requires Wi-Fi and mobile data.
 */
class DeviceCheckTest {
    private val instrumentation = InstrumentationRegistry.getInstrumentation()
    private val app = instrumentation.targetContext

    @Test
    fun everyStepWithoutAPersonPassesAndWifiStaysTheDefaultNetwork() {
        val connectivity = app.getSystemService(Context.CONNECTIVITY_SERVICE) as ConnectivityManager
        val before = connectivity.activeNetwork
        assertTrue("Wi-Fi is on", connectivity.getNetworkCapabilities(before)?.hasTransport(NetworkCapabilities.TRANSPORT_WIFI) == true)
        val activity = instrumentation.startActivitySync(intent())
        val report = await(File(app.filesDir, CheckSession.FILE))
        assertEquals(before, connectivity.activeNetwork)
        assertNull("the process is not bound to a network", connectivity.boundNetworkForProcess)
        activity.finish()
        val steps = report.getJSONArray("steps").let { steps -> List(steps.length(), steps::getJSONObject) }
        val others = steps.filterNot { it.getString("outcome") in setOf("passed", "skipped") }
        assertTrue("$others", others.isEmpty())
        assertEquals("steps for a person", PERSON, steps.count { it.getString("outcome") == "skipped" })
        assertEquals("android_network", firstTrace(report).getString("network"))
    }

    /** The arguments of the instrumentation as extras. */
    private fun intent(): Intent {
        val arguments = InstrumentationRegistry.getArguments()
        val intent = Intent(app, CheckActivity::class.java).addFlags(Intent.FLAG_ACTIVITY_NEW_TASK)
        listOf(
            Development.BACKEND,
            Development.ROOT_CERTIFICATE,
            Development.OBSERVED,
            Development.ECHO,
            Development.DNS_HOST,
            Development.PHONE_NUMBER,
        ).forEach { name -> arguments.getString(name)?.let { intent.putExtra(name, it) } }
        return intent
            .putExtra(
                Development.RESOLVE,
                arguments
                    .getString(Development.RESOLVE)
                    .orEmpty()
                    .split(',')
                    .toTypedArray(),
            ).putExtra(Development.ATTENDED, false)
    }

    private fun await(file: File): JSONObject {
        val deadline = SystemClock.elapsedRealtime() + TIMEOUT_MS
        var text = ""
        while (SystemClock.elapsedRealtime() < deadline) {
            text = if (file.exists()) file.readText() else ""
            if (text.isNotEmpty() && JSONObject(text).getBoolean("finished")) return JSONObject(text)
            SystemClock.sleep(POLL_INTERVAL_MS)
        }
        throw AssertionError("the check did not finish: $text")
    }

    private fun firstTrace(report: JSONObject) = report.getJSONArray("verifications").getJSONObject(0).getJSONObject("trace")

    private companion object {
        /** The steps with an instruction, without those for the usual state. */
        const val PERSON = 5
        const val TIMEOUT_MS = 300_000L
        const val POLL_INTERVAL_MS = 500L
    }
}
