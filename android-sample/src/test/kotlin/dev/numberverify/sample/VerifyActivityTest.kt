package dev.numberverify.sample

import android.content.Intent
import android.provider.Settings
import android.view.View
import android.widget.TextView
import dev.numberverify.testsupport.ClosedPort
import dev.numberverify.testsupport.Simulator
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotSame
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowDialog

/** The real screen with the real library and the simulator program, on a debug build. */
@RunWith(RobolectricTestRunner::class)
class VerifyActivityTest {
    private val simulator = Simulator()

    @After
    fun stop() = simulator.close()

    @Test
    @Config(sdk = [24, 35])
    fun `the number of this SIM is verified`() =
        Phone(simulator.intent()).use { phone ->
            phone.verify(OWN)
            phone.awaitCard(R.string.verified)
            assertEquals("the redirects of operator B", 6, phone.hops)
            assertEquals(4, phone.stepDescriptions.count { it.matches(Regex(".+: done, \\d+ milliseconds")) })
            assertTrue(phone.text(R.id.progress), phone.text(R.id.progress).matches(Regex("\\d+ ms")))
            assertTrue(phone.text(R.id.trace), phone.text(R.id.trace).contains("auth.simulator.test"))
        }

    @Test
    fun `the number of another SIM is not verified`() =
        Phone(simulator.intent()).use { phone ->
            phone.verify("+14155550199")
            phone.awaitCard(R.string.not_verified)
            assertTrue("for a phone with two SIMs", phone.text(R.id.verdict_text).endsWith("switch mobile data to it and try again."))
            phone.click(R.id.action)
            assertTrue(dialogIsAbout(phone, R.string.use_sms_what))
        }

    @Test
    fun `an invalid number is reported next to the field and can be corrected`() =
        Phone(simulator.intent()).use { phone ->
            phone.verify("12")
            phone.await("the error") { phone.shows(R.id.phone_number_error) }
            assertFalse(phone.shows(R.id.verdict))
            phone.verify("+1 (415) 555-0100")
            phone.awaitCard(R.string.verified)
            assertFalse(phone.shows(R.id.phone_number_error))
        }

    @Test
    fun `another channel - the SIM is unknown to the operator`() =
        Simulator("--sim", "192.0.2.0/24=$OWN").use { other ->
            Phone(other.intent()).use { phone ->
                phone.verify(OWN)
                phone.awaitCard(R.string.another_channel)
                assertTrue(phone.stepDescriptions[2], phone.stepDescriptions[2].endsWith("failed"))
                phone.click(R.id.action)
                assertTrue(dialogIsAbout(phone, R.string.use_sms_what))
            }
        }

    @Test
    fun `retry later - the backend is down, then available again`() =
        ClosedPort().use { down ->
            Phone(simulator.intent("https://127.0.0.1:${down.port}/number-verify")).use { phone ->
                phone.verify(OWN)
                phone.awaitCard(R.string.retry_later)
                assertTrue(phone.stepDescriptions[0], phone.stepDescriptions[0].endsWith("failed"))
                phone.type(R.id.backend, simulator.backend("b"))
                phone.click(R.id.action)
                phone.awaitVerified()
            }
        }

    @Test
    fun `mobile data is off - the button opens the network settings`() {
        Cellular.setMobileData(false)
        Phone(simulator.intent().putExtra(Development.ANY_NETWORK, false)).use { phone ->
            phone.await("the state of cellular") { phone.text(R.id.cellular) == phone.activity.getString(R.string.cellular_data_off) }
            phone.verify(OWN)
            phone.awaitCard(R.string.mobile_data_needed)
            assertTrue(phone.stepDescriptions[1], phone.stepDescriptions[1].endsWith("failed"))
            phone.click(R.id.action)
            assertEquals(Settings.Panel.ACTION_INTERNET_CONNECTIVITY, shadowOf(phone.activity).nextStartedActivity.action)
        }
    }

    @Test
    fun `fix the integration - the shared report does not contain the number`() =
        Phone(simulator.intent(simulator.backend("b").replace("/number-verify/", "/nothing/"))).use { phone ->
            phone.verify(OWN)
            phone.awaitCard(R.string.fix_integration)
            phone.click(R.id.action)
            val report = shared(phone)
            assertTrue(report, report.contains("404") && report.contains("correlator"))
            assertTrue(report, report.contains("\nContact: the team of the app's backend."))
            assertContainsNoNumber(report)
        }

    @Test
    fun `the shared trace does not contain the number`() =
        Phone(simulator.intent()).use { phone ->
            phone.verify(OWN)
            phone.awaitCard(R.string.verified)
            phone.click(R.id.share)
            val trace = shared(phone)
            assertTrue(trace, trace.startsWith("Verified after ") && phone.text(R.id.trace) in trace)
            assertTrue(trace, trace.lines().last().startsWith("{\"acquire_ms\":"))
            assertContainsNoNumber(trace)
        }

    @Test
    fun `cancel ends a verification, and another one can start`() =
        simulator.gate("operator-b.simulator.test").use { gate ->
            Phone(gate.on(simulator.intent())).use { phone ->
                phone.verify(OWN)
                phone.await("the operator") { phone.hops == 1 }
                assertFalse(phone.view<View>(R.id.phone_number).isEnabled)
                phone.click(R.id.cancel)
                phone.awaitCard(R.string.cancelled)
                assertTrue(phone.stepDescriptions[2], phone.stepDescriptions[2].endsWith("stopped"))
                gate.open()
                phone.verify(OWN)
                phone.awaitVerified()
            }
        }

    @Test
    fun `a slow verification offers SMS while it runs, and continues`() =
        simulator.gate("operator-b.simulator.test").use { gate ->
            Phone(gate.on(simulator.intent()).putExtra(Development.SLOW_AFTER_MS, 1L)).use { phone ->
                phone.verify(OWN)
                phone.awaitCard(R.string.slow)
                phone.settle()
                assertTrue("at the top of the screen", phone.view<View>(R.id.screen).scrollY > 0)
                phone.click(R.id.action)
                assertTrue(dialogIsAbout(phone, R.string.use_sms_what))
                phone.rotate(Phone.LANDSCAPE)
                phone.awaitCard(R.string.slow)
                assertTrue(phone.shows(R.id.cancel))
                gate.open()
                phone.awaitVerified()
            }
        }

    /**
     * The looper's clock stands still: a scroll soon after another one is immediate and observable.
     */
    @Test
    fun `the steps of a slow verification neither scroll the screen nor set the card again`() =
        simulator.gate("auth.simulator.test").use { first ->
            simulator.gate("operator-b.simulator.test").use { second ->
                Phone(second.on(first.on(simulator.intent())).putExtra(Development.SLOW_AFTER_MS, 1L)).use { phone ->
                    phone.verify(OWN)
                    phone.awaitCard(R.string.slow)
                    phone.await("the card at the top") { phone.view<View>(R.id.screen).scrollY > 0 }
                    phone.view<View>(R.id.screen).scrollTo(0, 0)
                    phone.view<TextView>(R.id.verdict_title).text = "unchanged"
                    first.open()
                    phone.await("the operator") { phone.hops == 1 }
                    assertEquals(0, phone.view<View>(R.id.screen).scrollY)
                    assertEquals("unchanged", phone.text(R.id.verdict_title))
                    phone.click(R.id.cancel)
                    phone.awaitCard(R.string.cancelled)
                }
            }
        }

    @Test
    @Config(sdk = [24, 35])
    fun `a verification continues across a rotation`() =
        simulator.gate("operator-b.simulator.test").use { gate ->
            Phone(gate.on(simulator.intent("https://unused.test/another"))).use { phone ->
                val before = phone.activity
                phone.type(R.id.backend, simulator.backend("b"))
                phone.verify(OWN)
                phone.await("the operator") { phone.hops == 1 }
                phone.rotate(Phone.LANDSCAPE)
                assertNotSame(before, phone.activity)
                assertTrue(phone.texts, phone.shows(R.id.cancel) && phone.hops == 1)
                assertEquals(OWN, phone.text(R.id.phone_number))
                gate.open()
                phone.awaitCard(R.string.verified)
                assertEquals("one verification, not two", 6, phone.hops)
                phone.rotate(Phone.PORTRAIT)
                assertEquals(phone.activity.getString(R.string.verified), phone.text(R.id.verdict_title))
                assertEquals(6, phone.hops)
            }
        }

    @Test
    fun `cellular is acquired when the screen appears and released with it`() {
        Cellular.setMobileData(true)
        val phone = Phone(simulator.intent().putExtra(Development.ANY_NETWORK, false))
        phone.await("the network request") { Cellular.requests == 1 }
        phone.close()
        phone.await("its release") { Cellular.requests == 0 }
    }

    private fun dialogIsAbout(
        phone: Phone,
        text: Int,
    ): Boolean {
        val dialog = ShadowDialog.getLatestDialog()
        return dialog.isShowing && dialog.findViewById<TextView>(android.R.id.message).text == phone.activity.getString(text)
    }

    private fun shared(phone: Phone): String {
        val chooser = shadowOf(phone.activity).nextStartedActivity
        assertEquals(Intent.ACTION_CHOOSER, chooser.action)
        @Suppress("DEPRECATION") // the typed overload requires API 33
        val send = chooser.getParcelableExtra<Intent>(Intent.EXTRA_INTENT)!!
        assertEquals(Intent.ACTION_SEND, send.action)
        return send.getStringExtra(Intent.EXTRA_TEXT).orEmpty()
    }

    private fun assertContainsNoNumber(text: String) = assertFalse(text, text.contains(OWN.drop(1)))

    private companion object {
        const val OWN = "+14155550100"
    }
}
