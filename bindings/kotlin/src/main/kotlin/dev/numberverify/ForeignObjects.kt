// The app's objects as the core calls them.
//
// The generated Kotlin (uniffi 0.32) catches `kotlin.Exception` from the app's code and nothing else. Any other Throwable, and a result
// that it cannot convert, is uncaught in a suspending function, which ends an Android app, and is ignored in the other functions. These
// wrappers turn each of them into the failure that the interface declares, without its message: that may hold a secret.

package dev.numberverify

import kotlinx.coroutines.cancelChildren
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import java.nio.ByteBuffer
import kotlin.reflect.KClass

internal class SafeCellularProvider(
    private val app: CellularProvider,
) : CellularProvider {
    private val boundary = Boundary(CellularException::class, CellularException::Failed)

    override suspend fun acquire(events: NetworkEvents): NetworkBinding =
        boundary.suspending { app.acquire(events).also(FfiConverterTypeNetworkBinding::requireConvertible) }

    override suspend fun release(): Unit = boundary.suspending { app.release() }

    override suspend fun status(): CellularStatus =
        boundary.suspending { app.status().also(FfiConverterTypeCellularStatus::requireConvertible) }
}

internal class SafeServerTrust(
    private val app: ServerTrust,
) : ServerTrust {
    private val boundary = Boundary(ServerTrustException::class, ServerTrustException::Failed)

    override fun checkServerTrusted(
        chain: List<ByteArray>,
        host: String,
        ocspResponse: ByteArray?,
    ): Boolean = boundary.blocking { app.checkServerTrusted(chain, host, ocspResponse) }
}

internal class SafeBackend(
    private val app: Backend,
) : Backend {
    private val boundary = Boundary(BackendException::class, BackendException::Failed)

    override suspend fun start(request: StartRequest): AuthorizationStart = boundary.suspending { app.start(request).ownReference() }

    override suspend fun complete(request: CompletionRequest): String =
        boundary.suspending { app.complete(request).also(FfiConverterString::requireConvertible) }
}

internal class SafeProgressListener(
    private val app: ProgressListener,
) : ProgressListener {
    private val boundary = Boundary(CoreListenerException::class, CoreListenerException::Failed)

    override fun onProgress(progress: CoreProgress): Unit = boundary.blocking { app.onProgress(progress) }
}

/** Lets the exceptions that an interface declares through, and turns every other Throwable into one of them. */
private class Boundary<E : Exception>(
    private val declared: KClass<E>,
    private val failed: () -> E,
) {
    fun <T> blocking(call: () -> T): T =
        try {
            call()
        } catch (failure: Throwable) {
            throw declaredOr(failure)
        }

    /** Throws a `CancellationException` only if this call was cancelled: one from the app's own coroutines is a failure like any other. */
    suspend fun <T> suspending(call: suspend () -> T): T =
        try {
            // In a scope of its own: a coroutine that the app launched in its context then fails this call, and not the process.
            coroutineScope { call().also { coroutineContext.cancelChildren() } }
        } catch (failure: Throwable) {
            currentCoroutineContext().ensureActive()
            throw declaredOr(failure)
        }

    private fun declaredOr(failure: Throwable): Throwable = if (declared.isInstance(failure)) failure else failed()
}

/** Throws if the generated code could not convert the value: a string with a lone surrogate, or a `null` from Java. */
internal fun <T> FfiConverter<T, *>.requireConvertible(value: T) = write(value, ByteBuffer.allocate(allocationSize(value).toInt()))

/** Another object for the same value. The generated code does not check whether the app has destroyed its own, which is then freed memory. */
private fun AuthorizationStart.ownReference(): AuthorizationStart {
    check(!uniffiIsDestroyed)
    return AuthorizationStart(UniffiWithHandle, uniffiCloneHandle())
}
