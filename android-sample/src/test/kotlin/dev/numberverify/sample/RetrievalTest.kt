package dev.numberverify.sample

import android.text.Spanned
import android.text.style.TtsSpan
import android.view.View
import android.widget.TextView
import dev.numberverify.testsupport.Simulator
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowLog

/** "Use this phone's number": the real screen, the real library and the simulator's operators. */
@RunWith(RobolectricTestRunner::class)
class RetrievalTest {
    private val simulator = Simulator()
    private val backend = RetrievalBackend(simulator)

    @After
    fun stop() {
        backend.close()
        simulator.close()
    }

    @Test
    @Config(sdk = [24, 35])
    fun `the number of this SIM is retrieved and shown, without a number typed`() =
        Phone(simulator.intent(backend.url)).use { phone ->
            phone.click(R.id.retrieve)
            phone.awaitCard(R.string.retrieved)
            assertEquals(Cellular.NUMBER, phone.text(R.id.verdict_number))
            assertEquals("", phone.text(R.id.phone_number))
            assertEquals(4, phone.stepDescriptions.count { it.matches(Regex(".+: done, \\d+ milliseconds")) })
            assertTrue(phone.hops > 0)
        }

    @Test
    fun `the number is neither in the trace nor in the log`() =
        Phone(simulator.intent(backend.url)).use { phone ->
            phone.click(R.id.retrieve)
            phone.awaitCard(R.string.retrieved)
            val log = ShadowLog.getLogs().joinToString("\n") { "${it.tag} ${it.msg} ${it.throwable}" }
            for (text in listOf(phone.text(R.id.trace), log)) assertFalse(text, text.contains(Cellular.NUMBER.drop(1)))
        }

    @Test
    fun `TalkBack reads the number digit by digit`() =
        Phone(simulator.intent(backend.url)).use { phone ->
            phone.click(R.id.retrieve)
            phone.awaitCard(R.string.retrieved)
            val text = phone.view<TextView>(R.id.verdict_number).text as Spanned
            assertEquals(TtsSpan.TYPE_TELEPHONE, text.getSpans(0, text.length, TtsSpan::class.java).single().type)
        }

    @Test
    fun `the next verification's card has no number`() =
        Phone(simulator.intent(backend.url)).use { phone ->
            phone.click(R.id.retrieve)
            phone.awaitCard(R.string.retrieved)
            phone.type(R.id.backend, simulator.backend("b"))
            phone.verify(Cellular.NUMBER)
            phone.awaitVerified()
            assertFalse(phone.shows(R.id.verdict_number))
        }

    @Test
    fun `a slow retrieval offers SMS while it runs, continues across a rotation, and keeps its number`() =
        simulator.gate("operator-b.simulator.test").use { gate ->
            Phone(gate.on(simulator.intent(backend.url)).putExtra(Development.SLOW_AFTER_MS, 1L)).use { phone ->
                phone.click(R.id.retrieve)
                phone.awaitCard(R.string.slow)
                assertFalse(phone.shows(R.id.retrieve) || phone.shows(R.id.verify))
                assertFalse(phone.view<View>(R.id.phone_number).isEnabled)
                phone.rotate(Phone.LANDSCAPE)
                phone.awaitCard(R.string.slow)
                gate.open()
                phone.awaitRetrieved()
                phone.rotate(Phone.PORTRAIT)
                assertEquals(Cellular.NUMBER, phone.text(R.id.verdict_number))
            }
        }

    @Test
    fun `cancel ends a retrieval, and another one can start`() =
        simulator.gate("operator-b.simulator.test").use { gate ->
            Phone(gate.on(simulator.intent(backend.url))).use { phone ->
                phone.click(R.id.retrieve)
                phone.await("the operator") { phone.hops == 1 }
                phone.click(R.id.cancel)
                phone.awaitCard(R.string.cancelled)
                gate.open()
                phone.click(R.id.retrieve)
                phone.awaitRetrieved()
            }
        }

    @Test
    fun `try again retrieves again`() =
        Phone(simulator.intent(backend.url)).use { phone ->
            backend.problem = 503 to "retry_later"
            phone.click(R.id.retrieve)
            phone.awaitCard(R.string.retry_later)
            backend.problem = null
            phone.click(R.id.action)
            phone.awaitRetrieved()
        }

    @Test
    fun `a backend without retrieval shows the card for the developer`() =
        Phone(simulator.intent(backend.url)).use { phone ->
            backend.problem = 501 to "fix_integration"
            phone.click(R.id.retrieve)
            phone.awaitCard(R.string.fix_integration)
            assertTrue(phone.text(R.id.verdict_cause), phone.text(R.id.verdict_cause).contains("501"))
            assertFalse(phone.shows(R.id.verdict_number))
        }

    private fun Phone.awaitRetrieved() {
        await("the number") { text(R.id.verdict_title) == activity.getString(R.string.retrieved) }
        assertEquals(Cellular.NUMBER, text(R.id.verdict_number))
    }
}
