package dev.numberverify.sample

import android.content.Intent
import dev.numberverify.NumberVerifier
import dev.numberverify.VerifyException
import dev.numberverify.testsupport.Simulator
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

/** On what is linked without `--debug-mode`, as a release build is: nothing of [Development] is left, whoever asks for it. */
@RunWith(RobolectricTestRunner::class)
class ReleaseTest {
    @Test
    fun `the any-network switch is not there, and an intent cannot turn it on`() =
        Simulator().use { simulator ->
            Phone(simulator.intent()).use { phone ->
                assertFalse(phone.shows(R.id.any_network))
                assertEquals(phone.activity.getString(R.string.default_backend), phone.text(R.id.backend))
                assertEquals(null, Development.of(phone.activity, simulator.intent()))
            }
        }

    @Test
    fun `with a working backend, the flow does not leave by any network`() =
        Simulator().use { simulator ->
            Cellular.setMobileData(false)
            Phone(simulator.intent()).use { phone ->
                // On plain http to loopback, which needs none of the simulator's exceptions.
                phone.type(R.id.backend, simulator.backendOnHttp("b"))
                phone.verify("+14155550100")
                phone.awaitCard(R.string.mobile_data_needed)
                assertEquals(0, phone.hops)
            }
        }

    @Test
    fun `the library refuses it too`() {
        val refusal =
            Phone(Intent()).use { phone ->
                assertThrows(VerifyException.InvalidConfig::class.java) {
                    NumberVerifier(phone.activity, "https://api.example.com/number-verify") { development.anyNetwork = true }
                }
            }
        assertEquals("anyNetwork", refusal.setting)
    }
}
