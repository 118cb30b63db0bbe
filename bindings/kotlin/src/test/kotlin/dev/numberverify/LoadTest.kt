package dev.numberverify

import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.sync.Semaphore
import kotlinx.coroutines.sync.withPermit
import org.junit.AfterClass
import org.junit.Test
import java.nio.file.Path
import kotlin.io.path.readLines
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** Many verifications and many verifiers: all complete correctly and leak nothing. */
class LoadTest {
    @Test
    fun thousandVerificationsReturnTheRightResults() {
        val network = Loopback()
        val atOnce = Semaphore(50)
        NumberVerifier(network, simulator.backend(), configure = simulator::trust).use { verifier ->
            val results =
                runBlocking(Dispatchers.Default) {
                    (0 until 1_000)
                        .map {
                            val number = if (it % 2 == 0) Simulator.NUMBER else Simulator.OTHER_NUMBER
                            async { atOnce.withPermit { verifier.verify(number).verified } }
                        }.awaitAll()
                }
            assertEquals((0 until 1_000).map { it % 2 == 0 }, results)
        }
        network.awaitReleases(network.acquired.get())
        assertEquals(network.acquired.get(), network.released.get())
    }

    @Test
    fun closedVerifiersLeakNothing() {
        fun use(verifiers: Int) {
            repeat(verifiers) {
                val network = Loopback()
                NumberVerifier(network, simulator.backend(), configure = simulator::trust).use {
                    assertTrue(runBlocking { it.verify(Simulator.NUMBER) }.verified)
                }
                network.awaitReleases(1)
            }
            awaitNoVerifierThreads()
            System.gc()
        }

        use(50)
        // A leak adds up in every round. The JVM's own memory grows too, but levels off.
        val growth = mutableListOf<Long>()
        do {
            val before = residentKib()
            use(100)
            growth += residentKib() - before
        } while (growth.last() >= 100 * LEAK_KIB && growth.size < ROUNDS)
        assertTrue(growth.last() < 100 * LEAK_KIB, "memory growth per 100 verifiers, by round: $growth KiB")
    }

    private fun residentKib() =
        Path
            .of("/proc/self/status")
            .readLines()
            .first { it.startsWith("VmRSS:") }
            .filter(Char::isDigit)
            .toLong()

    companion object {
        /** A verifier that leaks its trust store or a connection exceeds this. */
        private const val LEAK_KIB = 100
        private const val ROUNDS = 10
        private val simulator = Simulator()

        @AfterClass
        @JvmStatic
        fun stop() = simulator.close()
    }
}
