package dev.numberverify

import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.runBlocking
import org.junit.AfterClass
import org.junit.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertNull
import kotlin.test.assertTrue

/**
 * Connections that open before they are needed, with the real Rust library and the simulator
 * program.
 */
class OpenAheadTest {
    /** The operators that the provider reports, one per acquire; none after the last one. */
    private val operators = ArrayDeque<String>()
    private val network: Loopback =
        Loopback(acquiring = { operators.removeFirstOrNull()?.let { checkNotNull(network.events).operatedBy(it) } })

    private fun verifier(
        configure: NumberVerifierConfig.() -> Unit = {},
        test: suspend NumberVerifier.() -> Unit,
    ) = NumberVerifier(network, simulator.backend()) {
        simulator.trust(this)
        configure()
    }.use { runBlocking { it.test() } }

    private suspend fun NumberVerifier.trace(): Trace = verify(Simulator.NUMBER).also { assertTrue(it.verified) }.trace

    private fun Trace.assertNothingOpenedAhead() {
        assertEquals(emptyList(), openedAhead)
        assertTrue(hops.none(Hop::isOpenedAhead), toTable())
    }

    @Test
    fun secondVerificationOpensConnectionsToTheHostsOfTheFirst() =
        verifier {
            trace().assertNothingOpenedAhead()
            val second = trace()
            assertEquals("auth.simulator.test", second.openedAhead.first())
            second.hops.first().assertOpenedAhead()
        }

    @Test
    fun verificationAfterPrepareUsesItsConnections() =
        verifier {
            trace()
            prepare()
            val prepared = trace()
            prepared.hops.first().assertOpenedAhead()
            assertEquals(2, network.acquired.get())
        }

    private fun Hop.assertOpenedAhead() {
        assertTrue(isOpenedAhead)
        assertFalse(isReused)
        assertNull(dnsMs)
        assertNull(tlsMs)
    }

    @Test
    fun hostsAreRememberedPerOperator() =
        verifier {
            operators += listOf("310260", "310150", "310260")
            trace().assertNothingOpenedAhead()
            trace().assertNothingOpenedAhead()
            assertTrue(trace().openedAhead.isNotEmpty())
        }

    @Test
    fun forgottenHostsAreNotConnectedTo() =
        verifier {
            trace()
            forgetHosts()
            prepare()
            trace().assertNothingOpenedAhead()
        }

    @Test
    fun openAheadDefaultsToTrueAndCanBeTurnedOff() {
        assertTrue(NumberVerifierConfig("https://api.test").openAhead)
        verifier({ openAhead = false }) {
            trace()
            prepare()
            trace().assertNothingOpenedAhead()
        }
    }

    companion object {
        private val simulator = Simulator()

        @AfterClass
        @JvmStatic
        fun stop() = simulator.close()
    }
}
