package dev.numberverify

import java.nio.file.Path
import kotlin.test.assertTrue

/**
 * Waits until the threads of all closed verifiers have ended: such a thread has the verifier's
 * name, and ends after the release.
 */
fun awaitNoVerifierThreads() {
    val deadline = System.nanoTime() + Loopback.HANGS_S * 1_000_000_000
    while (verifierThreads() > 0) {
        assertTrue(System.nanoTime() < deadline, "${verifierThreads()} threads of closed verifiers are left")
        Thread.yield()
    }
}

private fun verifierThreads() =
    checkNotNull(Path.of("/proc/self/task").toFile().list()).count {
        Path
            .of("/proc/self/task/$it/comm")
            .toFile()
            .runCatching { readText().trim() }
            .getOrNull() == "number-verify"
    }
