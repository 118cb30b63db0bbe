package dev.numberverify

import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import org.junit.AfterClass
import org.junit.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertNull
import kotlin.test.assertTrue

/**
 * A complete verification from Kotlin: the real Rust library against the simulator program, over
 * real sockets.
 */
class VerifyTest {
    private val network = Loopback()

    private fun <T> verifier(
        operator: String = "a",
        configure: NumberVerifierConfig.() -> Unit = {},
        test: suspend NumberVerifier.() -> T,
    ): T =
        NumberVerifier(network, simulator.backend(operator)) {
            simulator.trust(this)
            configure()
        }.use { runBlocking { it.test() } }

    @Test
    fun numberOfTheSimIsVerified() {
        for (operator in listOf("a", "b", "c")) {
            val verification = verifier(operator) { verify(Simulator.NUMBER) }
            assertTrue(verification.verified, operator)
            assertContains(verification.responseJson(), "\"verified\":true")
            assertEquals(NetworkKind.UNBOUND, verification.trace.network)
        }
    }

    @Test
    fun anotherNumberIsNotVerified() {
        assertFalse(verifier { verify(Simulator.OTHER_NUMBER) }.verified)
    }

    @Test
    fun formattedNumberIsAccepted() {
        assertTrue(verifier { verify("+1 (415) 555-01.00") }.verified)
    }

    @Test
    fun settingsReachTheCore() {
        val followThrough = verifier("a", { codeDelivery = CodeDelivery.FOLLOW_THROUGH }) { verify(Simulator.NUMBER) }
        assertNull(followThrough.trace.completeMs, "the callback returned the result")
        assertTrue(verifier("d", { codeDelivery = CodeDelivery.NO_CODE }) { verify(Simulator.NUMBER) }.verified)
    }

    @Test
    fun traceContainsEveryRequest() {
        val trace = verifier("b") { verify(Simulator.NUMBER) }.trace
        assertEquals((1..trace.hops.size).toList(), trace.hops.map(Hop::index))
        assertEquals(listOf("https", "https", "http"), trace.hops.take(3).map(Hop::scheme))
        val first = trace.hops.first()
        assertEquals(302, first.status)
        assertFalse(first.isReused)
        assertTrue(first.bytesIn > 0 && first.bytesOut > 0)
        assertTrue(trace.hops.any(Hop::isReused), "the second request to a host reuses its connection")
        assertContains(trace.toJson(), trace.correlator)
        assertContains(trace.toTable(), "operator-b.simulator.test")
        assertContains(trace.explain(), "Verified after ")
        assertContains(trace.toJson(), "\"outcome\":\"verified\"")
        assertTrue(trace.totalMs >= checkNotNull(trace.authorizeMs))
    }

    @Test
    fun progressIsOrderedAndEndsWithTheResult() {
        val progress = verifier { verifying(Simulator.NUMBER).toList() }
        val done = assertIs<Progress.Done>(progress.last())
        assertTrue(done.verification.verified)
        assertEquals(1, progress.count { it is Progress.Done })

        val began = progress.filterIsInstance<Progress.StepBegan>().map { it.step }
        val ended = progress.filterIsInstance<Progress.StepEnded>().map { it.step }
        assertEquals(listOf(Step.START, Step.ACQUIRE, Step.AUTHORIZE, Step.COMPLETE), began)
        assertEquals(setOf(Step.START, Step.ACQUIRE), ended.take(2).toSet(), "these two run at the same time")
        assertEquals(listOf(Step.AUTHORIZE, Step.COMPLETE), ended.drop(2))

        val hops = progress.filterIsInstance<Progress.HopAnswered>().map { it.hop }
        assertEquals(
            done.verification.trace.hops
                .map(Hop::index),
            hops.map(Hop::index),
        )
        val times =
            progress.mapNotNull {
                when (it) {
                    is Progress.StepBegan -> it.atMs
                    is Progress.StepEnded -> it.atMs
                    is Progress.HopAnswered -> it.atMs
                    is Progress.Slow -> it.atMs
                    is Progress.Done, is Progress.Retrieved -> null
                }
            }
        assertEquals(times.sorted(), times)
    }

    @Test
    fun slowVerificationIsReportedOnceAndContinues() {
        val progress =
            NumberVerifier(network, OneUrl(simulator.authUrl()), "https://unused.test") {
                simulator.trust(this)
                slowAfterMs = 1
            }.use { runBlocking { it.verifying(Simulator.NUMBER).toList() } }
        assertEquals(1, progress.count { it is Progress.Slow })
        assertIs<Progress.Done>(progress.last())
    }

    @Test
    fun eachCollectorRunsASeparateVerification() {
        verifier {
            val flow = verifying(Simulator.NUMBER)
            assertEquals(0, network.acquired.get(), "nothing runs before collection")
            val correlators = List(2) { assertIs<Progress.Done>(flow.toList().last()).verification.trace.correlator }
            assertEquals(2, correlators.toSet().size)
        }
    }

    @Test
    fun customBackendReceivesWhatItHasToSend() {
        val backend = RecordingBackend(simulator.authUrl())
        val verification =
            NumberVerifier(network, backend, "https://unused.test") { simulator.trust(this) }.use {
                runBlocking { it.verify(Simulator.NUMBER) }
            }
        assertTrue(verification.verified)
        assertEquals("""{"verified":true,"more":"of the app"}""", verification.responseJson())
        assertEquals(listOf<String?>(Simulator.NUMBER, "state", "session"), backend.values)
        assertEquals(setOf(verification.trace.correlator), backend.correlators.toSet())
        assertEquals(2, backend.keys.toSet().size, "each call has its own Idempotency-Key")
    }

    @Test
    fun checkReturnsTheProvidersStatusAndSendsNothing() {
        assertEquals(CellularStatus.WifiActive, verifier { check() })
        assertEquals(0, network.acquired.get())
    }

    @Test
    fun preparedNetworkIsUsedByTheNextVerification() {
        verifier {
            prepare()
            assertTrue(verify(Simulator.NUMBER).verified)
        }
        network.awaitReleases(1)
        assertEquals(1, network.acquired.get())
        assertEquals(1, network.released.get())
    }

    private class RecordingBackend(
        private val authUrl: String,
    ) : Backend {
        val values = mutableListOf<String?>()
        val correlators = mutableListOf<String>()
        val keys = mutableListOf<String>()

        override suspend fun start(request: StartRequest): AuthorizationStart {
            values += request.phoneNumber()
            correlators += request.correlator()
            keys += request.idempotencyKey()
            return AuthorizationStart(authUrl, null, "session", null)
        }

        override suspend fun complete(request: CompletionRequest): String {
            checkNotNull(request.code())
            values += request.state()
            values += request.session()
            correlators += request.correlator()
            keys += request.idempotencyKey()
            return """{"verified":true,"more":"of the app"}"""
        }
    }

    companion object {
        private val simulator = Simulator()

        @AfterClass
        @JvmStatic
        fun stop() = simulator.close()
    }
}
