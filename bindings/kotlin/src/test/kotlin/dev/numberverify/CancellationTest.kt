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

/** A verification that is cancelled while a step hangs: it ends, and the network is released once. No deadline ends it. */
class CancellationTest {
    private fun cancelledAt(step: Step) = endsAndReleasesOnce(step) { _, flow -> flow.cancelAndJoin() }

    @Test
    fun atStart() = cancelledAt(Step.START)

    @Test
    fun atAcquire() = cancelledAt(Step.ACQUIRE)

    @Test
    fun atAuthorize() = cancelledAt(Step.AUTHORIZE)

    @Test
    fun atComplete() = cancelledAt(Step.COMPLETE)

    @Test
    fun aCollectorThatLeavesEndsTheFlow() =
        endsAndReleasesOnce(Step.AUTHORIZE, { verifying(Simulator.NUMBER).collect {} }) { _, collector -> collector.cancelAndJoin() }

    @Test
    fun closingTheVerifierEndsAFlowAtEachStep() {
        for (step in Step.entries) {
            endsAndReleasesOnce(step) { verifier, flow ->
                verifier.close()
                assertFailsWith<VerifyException.Cancelled>("$step") { flow.await() }
            }
        }
    }

    @Test
    fun aRetrievalAtEachStep() {
        for (step in Step.entries) endsAndReleasesOnce(step, { retrieve() }) { _, retrieval -> retrieval.cancelAndJoin() }
    }

    @Test
    fun aCollectorThatLeavesEndsTheRetrieval() =
        endsAndReleasesOnce(Step.AUTHORIZE, { retrieving().collect {} }) { _, collector -> collector.cancelAndJoin() }

    @Test
    fun closingTheVerifierEndsARetrievalAtEachStep() {
        for (step in Step.entries) {
            endsAndReleasesOnce(step, { retrieve() }) { verifier, retrieval ->
                verifier.close()
                assertFailsWith<VerifyException.Cancelled>("$step") { retrieval.await() }
            }
        }
    }

    /** The other flows go on, and the network is held until the last one ends. */
    @Test
    fun cancellingOneFlowLeavesTheOthers() {
        val network = Loopback()
        val (hangs, waits) = List(2) { CompletableDeferred<Unit>() }
        val backend =
            OneUrl(simulator.authUrl()) {
                hangs.complete(Unit)
                waits.await()
                """{"verified":true}"""
            }
        NumberVerifier(network, backend, "https://unused.test", configure = simulator::trust).use { verifier ->
            runBlocking(Dispatchers.Default) {
                val stays = async { verifier.verify(Simulator.NUMBER) }
                withTimeout(HANGS_MS) { hangs.await() }
                val goes = launch { verifier.verify(Simulator.NUMBER) }
                goes.cancelAndJoin()
                assertEquals(0, network.released.get())
                waits.complete(Unit)
                assertTrue(stays.await().verified)
            }
            network.awaitReleases(1)
        }
        assertEquals(1, network.acquired.get())
        assertEquals(1, network.released.get())
    }

    private fun endsAndReleasesOnce(
        step: Step,
        run: suspend NumberVerifier.() -> Unit = { verify(Simulator.NUMBER) },
        end: suspend (NumberVerifier, Deferred<Unit>) -> Unit,
    ) = Stuck(step).use { it.end(run, end) }

    /** A verifier whose flow hangs at this step. */
    private class Stuck(
        private val step: Step,
    ) : AutoCloseable {
        /** Reached when the step hangs. */
        private val hangs = CompletableDeferred<Unit>()
        private val network = Loopback { if (step == Step.ACQUIRE) hang() }

        /** An operator that says nothing. */
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

        /** Waits until the verification hangs, then ends it. */
        fun end(
            run: suspend NumberVerifier.() -> Unit,
            end: suspend (NumberVerifier, Deferred<Unit>) -> Unit,
        ) {
            runBlocking(Dispatchers.Default) {
                supervisorScope {
                    val flow = async { verifier.run() }
                    withTimeout(HANGS_MS) {
                        network.began.await()
                        hangs.await()
                        end(verifier, flow)
                    }
                    assertTrue(flow.isCompleted)
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
