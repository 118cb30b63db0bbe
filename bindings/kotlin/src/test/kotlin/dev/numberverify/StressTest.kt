package dev.numberverify

import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeoutOrNull
import org.junit.AfterClass
import org.junit.Test
import java.util.concurrent.Executors
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.random.Random
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/**
 * All functions of a verifier from many threads concurrently, in random order, until one thread
 * closes it: each call ends with an allowed result, and the network is released as often as it was
 * acquired.
 */
class StressTest {
    private class Failure(
        call: String,
        cause: Throwable?,
    ) : AssertionError(call, cause)

    @Test
    fun concurrentCallsInAnyOrderEndWithAnAllowedResult() {
        val seed = Random.nextLong()
        println("seed $seed") // The thread schedule still varies.
        Executors.newFixedThreadPool(THREADS).asCoroutineDispatcher().use { threads ->
            repeat(ROUNDS) { round ->
                val random = Random(seed + round)
                val network =
                    Loopback(acquiring = {
                        if (random.nextInt(8) == 0) throw CellularException.Unavailable(CellularCause.AIRPLANE)
                    })
                val verifier = NumberVerifier(network, simulator.backend(), configure = simulator::trust)
                val isClosing = AtomicBoolean()
                runBlocking(threads) {
                    repeat(THREADS) { thread ->
                        val callRandom = Random(seed + 1000 * round + thread)
                        launch {
                            repeat(CALLS) {
                                val call = Calls.entries.random(callRandom)
                                val failure = runCatching { call.run(verifier, callRandom) }.exceptionOrNull()
                                if (!isAllowed(failure, isClosing.get())) throw Failure("$call in round $round of seed $seed", failure)
                            }
                        }
                    }
                    launch {
                        awaitSuccess(verifier)
                        isClosing.set(true)
                        verifier.close()
                    }
                }
                awaitNoVerifierThreads()
                assertEquals(network.acquired.get(), network.released.get(), "round $round of seed $seed")
            }
        }
    }

    /** Waits until one verification succeeds, while the other calls continue. */
    private suspend fun awaitSuccess(verifier: NumberVerifier) {
        do {
            val failure = runCatching { Calls.VERIFY.run(verifier, Random) }.exceptionOrNull()
            if (!isAllowed(failure, false)) throw Failure("verification before close", failure)
        } while (failure != null)
    }

    private fun isAllowed(
        failure: Throwable?,
        isClosing: Boolean,
    ) = when (failure) {
        null -> true
        is VerifyException.CellularUnavailable -> failure.reason == CellularCause.AIRPLANE
        is VerifyException.Cancelled, is IllegalStateException -> isClosing
        else -> false
    }

    private enum class Calls(
        val run: suspend (NumberVerifier, Random) -> Unit,
    ) {
        VERIFY({ verifier, _ -> assertTrue(verifier.verify(Simulator.NUMBER).verified) }),
        VERIFY_AND_CANCEL({ verifier, random -> withTimeoutOrNull(random.nextLong(30)) { verifier.verify(Simulator.NUMBER) } }),
        COLLECT_AND_CANCEL({ verifier, random ->
            withTimeoutOrNull(random.nextLong(30)) { verifier.verifying(Simulator.OTHER_NUMBER).collect {} }
        }),
        PREPARE({ verifier, _ -> verifier.prepare() }),
        PREPARE_AND_CANCEL({ verifier, random -> withTimeoutOrNull(random.nextLong(5)) { verifier.prepare() } }),
        CHECK({ verifier, _ -> assertEquals(CellularStatus.WifiActive, verifier.check()) }),
        FORGET({ verifier, _ -> verifier.forgetHosts() }),
    }

    companion object {
        private const val THREADS = 16
        private const val CALLS = 20
        private const val ROUNDS = 10
        private val simulator = Simulator()

        @AfterClass
        @JvmStatic
        fun stop() = simulator.close()
    }
}
