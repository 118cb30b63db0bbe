package dev.numberverify

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import java.util.concurrent.Semaphore
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlin.test.assertTrue

/** A cellular network that is always available and counts its calls. */
class Loopback(
    private val binding: NetworkBinding = NetworkBinding.Unbound,
    /** Called by each acquire. */
    private val acquiring: suspend () -> Unit = {},
) : CellularProvider {
    val acquired = AtomicInteger()
    val released = AtomicInteger()
    val began = CompletableDeferred<Unit>()

    /** The events of the last acquire. */
    @Volatile
    var events: NetworkEvents? = null
    private val releases = Semaphore(0)

    override suspend fun acquire(events: NetworkEvents): NetworkBinding {
        acquired.incrementAndGet()
        this.events = events
        began.complete(Unit)
        acquiring()
        return binding
    }

    override suspend fun release() {
        released.incrementAndGet()
        releases.release()
    }

    override suspend fun status(): CellularStatus = CellularStatus.WifiActive

    /** Waits until the network is acquired. */
    fun awaitAcquire() = runBlocking { withTimeout(HANGS_S * 1000) { began.await() } }

    /** Waits until the network was released this often. */
    fun awaitReleases(count: Int) = assertTrue(releases.tryAcquire(count, HANGS_S, TimeUnit.SECONDS), "the network was not released")

    companion object {
        /** Beyond this, an operation is considered hung. */
        const val HANGS_S = 60L
    }
}
