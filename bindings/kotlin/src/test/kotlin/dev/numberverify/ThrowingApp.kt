package dev.numberverify

import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.yield
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Semaphore
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** The callbacks through which the core calls an app. */
enum class Callback { CHECK_SERVER_TRUSTED, ACQUIRE, RELEASE, STATUS, START, COMPLETE, ON_PROGRESS }

/** An app that implements every interface and throws in one of the callbacks on demand. */
class ThrowingApp(
    private val authUrl: String,
) : CellularProvider,
    Backend,
    ServerTrust,
    ProgressListener {
    /** The callback that throws, and its exception; the others succeed. */
    @Volatile
    var failure: Pair<Callback, () -> Throwable>? = null

    /** Whether a suspending callback throws only after it has suspended. */
    @Volatile
    var suspendsFirst = false

    /** What [start] returns. */
    @Volatile
    var started: () -> AuthorizationStart = { AuthorizationStart(authUrl, null, null, null) }

    /** What [complete] returns. */
    @Volatile
    var completed: String = """{"verified":true}"""

    /** What [acquire] returns. */
    @Volatile
    var binding: NetworkBinding = NetworkBinding.Unbound

    private val releases = Semaphore(0)
    private val acquired = AtomicInteger()
    private val released = AtomicInteger()

    @Volatile
    private var wasAcquired = CountDownLatch(1)

    private fun failIn(callback: Callback) = failure?.let { (failing, throwable) -> if (failing == callback) throw throwable() }

    private suspend fun suspendingFailIn(callback: Callback) {
        if (suspendsFirst) yield()
        failIn(callback)
    }

    override suspend fun acquire(events: NetworkEvents): NetworkBinding {
        acquired.incrementAndGet()
        wasAcquired.countDown()
        suspendingFailIn(Callback.ACQUIRE)
        return binding
    }

    override suspend fun release() {
        released.incrementAndGet()
        releases.release()
        suspendingFailIn(Callback.RELEASE)
    }

    override suspend fun status(): CellularStatus {
        suspendingFailIn(Callback.STATUS)
        return CellularStatus.Ready
    }

    override suspend fun start(request: StartRequest): AuthorizationStart {
        awaitAcquire()
        suspendingFailIn(Callback.START)
        return started()
    }

    override suspend fun complete(request: CompletionRequest): String {
        suspendingFailIn(Callback.COMPLETE)
        return completed
    }

    override fun checkServerTrusted(
        chain: List<ByteArray>,
        host: String,
        ocspResponse: ByteArray?,
    ): Boolean {
        awaitAcquire()
        failIn(Callback.CHECK_SERVER_TRUSTED)
        return true
    }

    override fun onProgress(progress: CoreProgress) {
        failIn(Callback.ON_PROGRESS)
    }

    /**
     * Ensures that each verification acquires the network once, even one that fails immediately.
     */
    private fun awaitAcquire() = assertTrue(wasAcquired.await(Loopback.HANGS_S, TimeUnit.SECONDS), "the network was not acquired")

    /**
     * Runs one verification and asserts that it ends long before its deadlines, and that the
     * network is acquired and released once.
     */
    suspend fun <T> once(verification: suspend () -> T): Result<T> {
        wasAcquired = CountDownLatch(1)
        val (acquiredBefore, releasedBefore) = acquired.get() to released.get()
        val result = withTimeout(Loopback.HANGS_S * 1000) { runCatching { verification() } }
        assertTrue(releases.tryAcquire(Loopback.HANGS_S, TimeUnit.SECONDS), "the network was not released")
        assertEquals(listOf(1, 1), listOf(acquired.get() - acquiredBefore, released.get() - releasedBefore), "acquired and released")
        return result
    }
}
