// Wrappers through which the core calls the app's objects.
//
// The generated Kotlin (uniffi 0.32) catches only `kotlin.Exception` from the app's code. Any other
// Throwable, and a result that cannot be converted, is uncaught in a suspending function, which
// crashes an Android app, and ignored in the other functions. These wrappers map each of them to
// the exception that the interface declares, without its message, which may contain a secret.

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

    override suspend fun start(request: StartRequest): AuthorizationStart = boundary.suspending { app.start(request).clonedReference() }

    override suspend fun complete(request: CompletionRequest): String =
        boundary.suspending { app.complete(request).also(FfiConverterString::requireConvertible) }
}

internal class SafeProgressListener(
    private val app: ProgressListener,
) : ProgressListener {
    private val boundary = Boundary(CoreListenerException::class, CoreListenerException::Failed)

    override fun onProgress(progress: CoreProgress): Unit = boundary.blocking { app.onProgress(progress) }
}

/**
 * Passes through the exceptions that an interface declares, and maps every other Throwable to one
 * of them.
 */
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

    /**
     * Throws a `CancellationException` only if this call was cancelled: one from the app's own
     * coroutines is treated as a failure.
     */
    suspend fun <T> suspending(call: suspend () -> T): T =
        try {
            // In a separate scope: a failing coroutine that the app launched in its context then
            // fails this call, not the process.
            coroutineScope { call().also { coroutineContext.cancelChildren() } }
        } catch (failure: Throwable) {
            currentCoroutineContext().ensureActive()
            throw declaredOr(failure)
        }

    private fun declaredOr(failure: Throwable): Throwable = if (declared.isInstance(failure)) failure else failed()
}

/**
 * Throws if the generated code cannot convert the value: a string with a lone surrogate, or a
 * `null` from Java.
 */
internal fun <T> FfiConverter<T, *>.requireConvertible(value: T) = write(value, ByteBuffer.allocate(allocationSize(value).toInt()))

/**
 * Returns a second object for the same value. The generated code does not check whether the app has
 * destroyed its object, which then refers to freed memory.
 */
private fun AuthorizationStart.clonedReference(): AuthorizationStart {
    check(!uniffiIsDestroyed)
    return AuthorizationStart(UniffiWithHandle, uniffiCloneHandle())
}
