package dev.numberverify

import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.AfterClass
import org.junit.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** Calls of `prepare()` that wait for a network that becomes available late. */
class PrepareTest {
    private val networkAvailable = CompletableDeferred<Unit>()
    private val network = Loopback(acquiring = { networkAvailable.await() })
    private val verifier = NumberVerifier(network, simulator.backend(), configure = simulator::trust)

    @Test
    fun concurrentCallsAllWaitForTheNetwork() {
        verifier.use {
            runBlocking {
                val calls = List(2) { async(start = CoroutineStart.UNDISPATCHED) { verifier.prepare() } }
                network.began.await()
                networkAvailable.complete(Unit)
                calls.awaitAll()
            }
            assertEquals(1, network.acquired.get())
            assertEquals(0, network.released.get())
        }
        network.awaitReleases(1)
    }

    @Test
    fun cancelledCallStopsWaitingAndKeepsTheNetwork() {
        verifier.use {
            runBlocking {
                val call = launch(start = CoroutineStart.UNDISPATCHED) { verifier.prepare() }
                network.began.await()
                call.cancelAndJoin()
                networkAvailable.complete(Unit)
                assertTrue(verifier.verify(Simulator.NUMBER).verified)
            }
        }
        network.awaitReleases(1)
        assertEquals(1, network.acquired.get())
    }

    companion object {
        private val simulator = Simulator()

        @AfterClass
        @JvmStatic
        fun stop() = simulator.close()
    }
}
