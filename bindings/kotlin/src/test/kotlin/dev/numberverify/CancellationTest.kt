package dev.numberverify

import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.supervisorScope
import kotlinx.coroutines.withTimeout
import org.junit.AfterClass
import org.junit.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

/**
 * A verification that is cancelled while a step hangs ends without a deadline and releases the
 * network once.
 */
class CancellationTest {
    private fun assertCancellable(step: Step) = assertEndsAndReleasesOnce(step) { _, verification -> verification.cancelAndJoin() }

    @Test
    fun cancellationAtStartReleasesOnce() = assertCancellable(Step.START)

    @Test
    fun cancellationAtAcquireReleasesOnce() = assertCancellable(Step.ACQUIRE)

    @Test
    fun cancellationAtAuthorizeReleasesOnce() = assertCancellable(Step.AUTHORIZE)

    @Test
    fun cancellationAtCompleteReleasesOnce() = assertCancellable(Step.COMPLETE)

    @Test
    fun cancelledCollectorEndsTheVerification() =
        assertEndsAndReleasesOnce(Step.AUTHORIZE, { verifying(Simulator.NUMBER).collect {} }) { _, collector -> collector.cancelAndJoin() }

    @Test
    fun closingTheVerifierEndsAVerificationAtEachStep() {
        for (step in Step.entries) {
            assertEndsAndReleasesOnce(step) { verifier, verification ->
                verifier.close()
                assertFailsWith<VerifyException.Cancelled>("$step") { verification.await() }
            }
        }
    }

    @Test
    fun cancelledRetrievalReleasesOnceAtEachStep() {
        for (step in Step.entries) assertEndsAndReleasesOnce(step, { retrieve() }) { _, retrieval -> retrieval.cancelAndJoin() }
    }

    @Test
    fun cancelledCollectorEndsTheRetrieval() =
        assertEndsAndReleasesOnce(Step.AUTHORIZE, { retrieving().collect {} }) { _, collector -> collector.cancelAndJoin() }

    @Test
    fun closingTheVerifierEndsARetrievalAtEachStep() {
        for (step in Step.entries) {
            assertEndsAndReleasesOnce(step, { retrieve() }) { verifier, retrieval ->
                verifier.close()
                assertFailsWith<VerifyException.Cancelled>("$step") { retrieval.await() }
            }
        }
    }

    /** The other verifications continue, and the network is held until the last one ends. */
    @Test
    fun cancellingOneVerificationKeepsTheOthers() {
        val network = Loopback()
        val (hangs, canComplete) = List(2) { CompletableDeferred<Unit>() }
        val backend =
            OneUrl(simulator.authUrl()) {
                hangs.complete(Unit)
                canComplete.await()
                """{"verified":true}"""
            }
        NumberVerifier(network, backend, "https://unused.test", configure = simulator::trust).use { verifier ->
            runBlocking(Dispatchers.Default) {
                val remaining = async { verifier.verify(Simulator.NUMBER) }
                withTimeout(HANGS_MS) { hangs.await() }
                val cancelled = launch { verifier.verify(Simulator.NUMBER) }
                cancelled.cancelAndJoin()
                assertEquals(0, network.released.get())
                canComplete.complete(Unit)
                assertTrue(remaining.await().verified)
            }
            network.awaitReleases(1)
        }
        assertEquals(1, network.acquired.get())
        assertEquals(1, network.released.get())
    }

    private fun assertEndsAndReleasesOnce(
        step: Step,
        run: suspend NumberVerifier.() -> Unit = { verify(Simulator.NUMBER) },
        end: suspend (NumberVerifier, Deferred<Unit>) -> Unit,
    ) = HangingVerifier(step).use { it.end(run, end) }

    /** A verifier whose verification hangs at this step. */
    private class HangingVerifier(
        private val step: Step,
    ) : AutoCloseable {
        /** Completed when the step hangs. */
        private val hangs = CompletableDeferred<Unit>()
        private val network = Loopback { if (step == Step.ACQUIRE) hang() }

        /** An operator that never responds. */
        private val silent =
            ScriptedServer(authority.issue("op.test")) {
                hangs.complete(Unit)
                null
            }
        private val backend =
            object : Backend {
                override suspend fun start(request: StartRequest): AuthorizationStart {
                    if (step == Step.START) hang()
                    val url = if (step == Step.AUTHORIZE) "https://op.test:${silent.port}/" else simulator.authUrl()
                    return AuthorizationStart(url, null, null, null)
                }

                override suspend fun complete(request: CompletionRequest): String = hang()
            }
        private val verifier =
            NumberVerifier(network, backend, "https://unused.test") {
                simulator.trust(this)
                development.rootCertificates += authority.root.pem
                development.resolve += "op.test:${silent.port}:127.0.0.1"
            }

        private suspend fun hang(): Nothing {
            hangs.complete(Unit)
            CompletableDeferred<Nothing>().await()
        }

        /** Waits until the verification hangs, then calls [end]. */
        fun end(
            run: suspend NumberVerifier.() -> Unit,
            end: suspend (NumberVerifier, Deferred<Unit>) -> Unit,
        ) {
            runBlocking(Dispatchers.Default) {
                supervisorScope {
                    val verification = async { verifier.run() }
                    withTimeout(HANGS_MS) {
                        network.began.await()
                        hangs.await()
                        end(verifier, verification)
                    }
                    assertTrue(verification.isCompleted)
                }
            }
            network.awaitReleases(1)
            assertEquals(1, network.acquired.get(), "$step")
            assertEquals(1, network.released.get(), "$step")
        }

        override fun close() {
            verifier.close()
            silent.close()
        }
    }

    private companion object {
        const val HANGS_MS = Loopback.HANGS_S * 1000
        val simulator = Simulator()
        val authority = Authority("operators")

        @AfterClass
        @JvmStatic
        fun stop() = simulator.close()
    }
}
