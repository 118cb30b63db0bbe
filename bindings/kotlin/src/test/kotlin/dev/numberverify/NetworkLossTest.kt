package dev.numberverify

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith

/** A custom provider reports that its network is lost. */
class NetworkLossTest {
    private val startIsRunning = CompletableDeferred<Unit>()
    private val backend =
        object : Backend {
            override suspend fun start(request: StartRequest): AuthorizationStart {
                startIsRunning.complete(Unit)
                awaitCancellation()
            }

            override suspend fun complete(request: CompletionRequest): String = error("not reached")
        }

    private fun causeOf(
        network: Loopback,
        lose: suspend () -> Unit,
    ): CellularCause =
        NumberVerifier(network, backend, "https://unused.test") {
            useGenerousDeadlines()
            development.anyNetwork = true
        }.use { verifier ->
            runBlocking {
                withTimeout(Loopback.HANGS_S * 1000) {
                    val error =
                        assertFailsWith<VerifyException.CellularUnavailable> {
                            coroutineScope {
                                val verification = async { verifier.verify("+14155550100") }
                                lose()
                                verification.await()
                            }
                        }
                    error.reason
                }
            }
        }

    @Test
    fun lossEndsAVerificationAtOnceWithItsCause() {
        val network = Loopback()
        val cause =
            causeOf(network) {
                startIsRunning.await()
                network.began.await()
                checkNotNull(network.events).lost(CellularCause.BLOCKED_IN_BACKGROUND)
                checkNotNull(network.events).lost(CellularCause.VPN)
            }
        assertEquals(CellularCause.BLOCKED_IN_BACKGROUND, cause)
        network.awaitReleases(1)
        assertEquals(1, network.acquired.get())
    }

    @Test
    fun lossBeforeAcquireReturnsEndsIt() {
        val network = Loopback(acquiring = { awaitCancellation() })
        val cause =
            causeOf(network) {
                network.began.await()
                checkNotNull(network.events).lost(CellularCause.AIRPLANE)
            }
        assertEquals(CellularCause.AIRPLANE, cause)
        network.awaitReleases(1)
    }
}
