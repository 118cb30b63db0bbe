package dev.numberverify

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.supervisorScope
import kotlinx.coroutines.withTimeout
import org.junit.After
import org.junit.AfterClass
import org.junit.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import kotlin.time.measureTime

/** A flow that is cancelled while a step hangs: it ends at once, and the network is released once. */
class CancellationTest {
    /** Reached when the step hangs. */
    private val hangs = CompletableDeferred<Unit>()

    /** An operator that says nothing. */
    private val silent =
        ScriptedServer(authority.issue("op.test")) {
            hangs.complete(Unit)
            null
        }

    @After
    fun stop() = silent.close()

    private suspend fun hang(): Nothing {
        hangs.complete(Unit)
        CompletableDeferred<Nothing>().await()
    }

    /** Begins a flow whose given step hangs, ends it with [end] when it does, and checks that nothing is left. */
    private fun at(
        step: Step,
        end: suspend (NumberVerifier, Deferred<Verification>) -> Unit,
    ) {
        val network = Loopback { if (step == Step.ACQUIRE) hang() }
        val backend =
            object : Backend {
                override suspend fun start(request: StartRequest): AuthorizationStart {
                    if (step == Step.START) hang()
                    val url = if (step == Step.AUTHORIZE) "https://op.test:${silent.port}/" else simulator.authUrl()
                    return AuthorizationStart(url, null, null, null)
                }

                override suspend fun complete(request: CompletionRequest): String = hang()
            }
        val verifier =
            NumberVerifier(network, backend, "https://unused.test") {
                simulator.trust(this)
                development.rootCertificates += authority.root.pem
                development.resolve += "op.test:${silent.port}:127.0.0.1"
            }
        verifier.use {
            runBlocking(Dispatchers.Default) {
                supervisorScope {
                    val flow = async { verifier.verify(Simulator.NUMBER) }
                    withTimeout(HANGS_MS) {
                        network.began.await()
                        hangs.await()
                    }
                    end(verifier, flow)
                }
            }
            network.awaitReleases(1)
        }
        assertEquals(1, network.acquired.get(), "$step")
        assertEquals(1, network.released.get(), "$step")
    }

    private fun cancelledAt(step: Step) =
        at(step) { _, flow ->
            val took = measureTime { flow.cancelAndJoin() }
            assertTrue(flow.isCancelled)
            assertTrue(took.inWholeMilliseconds < LIMIT_MS, "$step took $took")
        }

    @Test
    fun atStart() = cancelledAt(Step.START)

    @Test
    fun atAcquire() = cancelledAt(Step.ACQUIRE)

    @Test
    fun atAuthorize() = cancelledAt(Step.AUTHORIZE)

    @Test
    fun atComplete() = cancelledAt(Step.COMPLETE)

    @Test
    fun aCollectorThatLeavesEndsTheFlow() {
        val network = Loopback { hang() }
        NumberVerifier(network, simulator.backend(), configure = simulator::trust).use { verifier ->
            runBlocking(Dispatchers.Default) {
                val collector = launch { verifier.verifying(Simulator.NUMBER).collect {} }
                withTimeout(HANGS_MS) { hangs.await() }
                val took = measureTime { collector.cancelAndJoin() }
                assertTrue(took.inWholeMilliseconds < LIMIT_MS, "took $took")
            }
            network.awaitReleases(1)
        }
        assertEquals(1, network.released.get())
    }

    @Test
    fun closingTheVerifierEndsAFlowAtEachStep() {
        for (step in Step.entries) {
            val test = CancellationTest()
            test.at(step) { verifier, flow ->
                val took =
                    measureTime {
                        verifier.close()
                        assertFailsWith<VerifyException.Cancelled>("$step") { flow.await() }
                    }
                assertTrue(took.inWholeMilliseconds < LIMIT_MS, "$step took $took")
            }
            test.stop()
        }
    }

    /** The other flows go on, and the network is held until the last one ends. */
    @Test
    fun cancellingOneFlowLeavesTheOthers() {
        val network = Loopback()
        val waits = CompletableDeferred<Unit>()
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

    companion object {
        private const val LIMIT_MS = 100
        private const val HANGS_MS = Loopback.HANGS_S * 1000
        private val simulator = Simulator()
        private val authority = Authority("operators")

        @AfterClass
        @JvmStatic
        fun stopSimulator() = simulator.close()
    }
}
