package dev.numberverify.sample

import android.content.Intent
import android.content.pm.PackageManager
import dev.numberverify.NumberVerifier
import dev.numberverify.VerifyException
import dev.numberverify.testsupport.Simulator
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment

/**
 * Runs on resources linked without `--debug-mode`, as in a release build: no [Development] setting
 * has an effect.
 */
@RunWith(RobolectricTestRunner::class)
class ReleaseTest {
    @Test
    fun `the any-network switch is hidden, and an intent cannot turn it on`() =
        Simulator().use { simulator ->
            Phone(simulator.intent()).use { phone ->
                assertFalse(phone.shows(R.id.any_network))
                assertFalse(phone.shows(R.id.check))
                assertEquals(phone.activity.getString(R.string.default_backend), phone.text(R.id.backend))
                assertEquals(null, Development.of(phone.activity, simulator.intent()))
            }
        }

    @Test
    fun `with a working backend, the verification uses no other network`() =
        Simulator().use { simulator ->
            Cellular.setMobileData(false)
            Phone(simulator.intent()).use { phone ->
                // Plain http to loopback requires none of the development settings.
                phone.type(R.id.backend, simulator.backendOnHttp("b"))
                phone.verify("+14155550100")
                phone.awaitCard(R.string.mobile_data_needed)
                assertEquals(0, phone.hops)
            }
        }

    @Test
    fun `the device check does not exist`() {
        val app = RuntimeEnvironment.getApplication()
        val declared = app.packageManager.getPackageInfo(app.packageName, PackageManager.GET_ACTIVITIES).activities
        assertEquals(listOf(VerifyActivity::class.java.name), declared.orEmpty().map { it.name })
    }

    @Test
    fun `the library rejects it too`() {
        val error =
            Phone(Intent()).use { phone ->
                assertThrows(VerifyException.InvalidConfig::class.java) {
                    NumberVerifier(phone.activity, "https://api.example.com/number-verify") { development.anyNetwork = true }
                }
            }
        assertEquals("anyNetwork", error.setting)
    }
}
