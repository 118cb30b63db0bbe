package dev.numberverify

import android.content.Context
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.channelFlow
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.future.future
import java.util.concurrent.CompletableFuture

/**
 * Verifies that a phone number belongs to the SIM in this phone, or retrieves that number:
 * silently, over the cellular network, without an SMS code.
 *
 * Create one per app and reuse it. Thread-safe and main-safe: every function may be called from any
 * thread. Concurrent verifications share the cellular network. A verifier has one background
 * thread, which starts with the first call; until then, it opens and sends nothing.
 *
 * Depend on [NumberVerifying] instead in app code that is to be tested without a verifier. The
 * functions of [NumberVerifying] throw an [IllegalStateException] after [close].
 */
public class NumberVerifier private constructor(
    private val core: CoreVerifier,
) : NumberVerifying,
    AutoCloseable {
    private val running = mutableSetOf<RunningFlow<*>>()
    private var closed = false
    private val futures = CoroutineScope(Dispatchers.Default)

    /**
     * Creates a verifier for an Android app.
     *
     * @param context any context of the app; only its application context is retained.
     * @param backend the base URL of the app's backend, such as
     *   `https://api.example.com/number-verify`: https (http only to loopback), without userinfo,
     *   query or fragment.
     * @param configure changes other settings; all have defaults.
     * @throws VerifyException.InvalidConfig if a setting is invalid.
     */
    @JvmOverloads
    public constructor(
        context: Context,
        backend: String,
        configure: NumberVerifierConfig.() -> Unit = {},
    ) : this(onAndroid(context, null, NumberVerifierConfig(backend).apply(configure)))

    /**
     * Creates a verifier for an Android app that calls its backend through a custom [Backend], such
     * as the app's API client.
     *
     * @param context any context of the app; only its application context is retained.
     * @param backend makes the `start` and `complete` calls. If it throws anything but a
     *   [BackendException], the verification fails with [BackendCause.APP_FAILED].
     * @param backendUrl the backend's base URL; only its origin is used: for
     *   [CodeDelivery.FOLLOW_THROUGH], and to exclude hints and plain http for the backend's host.
     * @param configure changes other settings; all have defaults.
     * @throws VerifyException.InvalidConfig if a setting is invalid.
     */
    @JvmOverloads
    public constructor(
        context: Context,
        backend: Backend,
        backendUrl: String,
        configure: NumberVerifierConfig.() -> Unit = {},
    ) : this(onAndroid(context, backend, NumberVerifierConfig(backendUrl).apply(configure)))

    /**
     * Creates a verifier with a custom [CellularProvider].
     *
     * @param cellular acquires the network. Use a separate provider for each verifier.
     * @param backend the base URL of the app's backend, as above.
     * @param serverTrust validates certificate chains. Required on Android, such as
     *   [AndroidServerTrust]; on other platforms, `null` uses the platform's trust store. A chain
     *   is rejected if it returns `false` or throws anything.
     * @param configure changes other settings; all have defaults.
     * @throws VerifyException.InvalidConfig if a setting is invalid.
     */
    @JvmOverloads
    public constructor(
        cellular: CellularProvider,
        backend: String,
        serverTrust: ServerTrust? = null,
        configure: NumberVerifierConfig.() -> Unit = {},
    ) : this(create(cellular, null, serverTrust, NumberVerifierConfig(backend).apply(configure)))

    /**
     * Creates a verifier with a custom [CellularProvider] and a custom [Backend].
     *
     * @param cellular acquires the network. Use a separate provider for each verifier.
     * @param backend makes the `start` and `complete` calls.
     * @param backendUrl the backend's base URL, as above.
     * @param serverTrust validates certificate chains, as above.
     * @param configure changes other settings; all have defaults.
     * @throws VerifyException.InvalidConfig if a setting is invalid.
     */
    @JvmOverloads
    public constructor(
        cellular: CellularProvider,
        backend: Backend,
        backendUrl: String,
        serverTrust: ServerTrust? = null,
        configure: NumberVerifierConfig.() -> Unit = {},
    ) : this(create(cellular, backend, serverTrust, NumberVerifierConfig(backendUrl).apply(configure)))

    override suspend fun verify(
        phoneNumber: String,
        options: VerificationOptions.() -> Unit,
    ): Verification = runVerification(phoneNumber, VerificationOptions().apply(options))

    override fun verifying(
        phoneNumber: String,
        options: VerificationOptions.() -> Unit,
    ): Flow<Progress> = progressOf { Progress.Done(runVerification(phoneNumber, VerificationOptions().apply(options), it)) }

    /**
     * [verify] for Java. Cancelling the future cancels the verification. If the verification fails,
     * the future completes exceptionally with a [VerifyException], which `get()` wraps in an
     * `ExecutionException`.
     *
     * @param phoneNumber as for [verify].
     * @param options options for this verification, in addition to the settings.
     */
    @JvmOverloads
    public fun verifyAsync(
        phoneNumber: String,
        options: VerificationOptions = VerificationOptions(),
    ): CompletableFuture<Verification> {
        val copy = options.copy()
        return futures.future { runVerification(phoneNumber, copy) }
    }

    override suspend fun retrieve(options: VerificationOptions.() -> Unit): RetrievedNumber =
        runRetrieval(VerificationOptions().apply(options))

    override fun retrieving(options: VerificationOptions.() -> Unit): Flow<Progress> =
        progressOf { Progress.Retrieved(runRetrieval(VerificationOptions().apply(options), it)) }

    /**
     * [retrieve] for Java. Cancelling the future cancels the retrieval. Failures are reported as by
     * [verifyAsync].
     *
     * @param options options for this retrieval, in addition to the settings.
     */
    @JvmOverloads
    public fun retrieveAsync(options: VerificationOptions = VerificationOptions()): CompletableFuture<RetrievedNumber> {
        val copy = options.copy()
        return futures.future { runRetrieval(copy) }
    }

    override suspend fun check(): CellularStatus = orVerifyException { core.check() }

    /** [check] for Java. */
    public fun checkAsync(): CompletableFuture<CellularStatus> = futures.future { check() }

    override suspend fun prepare(): Unit = orVerifyException { core.prepare() }

    /** [prepare] for Java. Cancelling the future stops waiting but keeps the network. */
    public fun prepareAsync(): CompletableFuture<Void?> = futures.future { prepare().let { null } }

    /**
     * Clears the hosts that this verifier remembers from earlier verifications, such as when the
     * user signs out: the next verification opens no connections ahead, except to
     * [authOrigin][NumberVerifierConfig.authOrigin]. A verification in progress stores its hosts
     * when it ends. Throws an [IllegalStateException] after [close].
     */
    public fun forgetHosts(): Unit = orVerifyException { core.forgetHosts() }

    /**
     * Cancels all running verifications and retrievals, which fail with
     * [VerifyException.Cancelled], and releases the network and the thread. Returns immediately.
     * Idempotent.
     */
    override fun close() {
        synchronized(running) {
            closed = true
            running.forEach { it.cancel() }
        }
        core.destroy()
    }

    private suspend fun runVerification(
        phoneNumber: String,
        options: VerificationOptions,
        listener: ProgressListener? = null,
    ): Verification = run(options) { core.beginWith(phoneNumber, it, listener?.let(::SafeProgressListener)).running() }

    private suspend fun runRetrieval(
        options: VerificationOptions,
        listener: ProgressListener? = null,
    ): RetrievedNumber = run(options) { core.beginRetrieval(it, listener?.let(::SafeProgressListener)).running() }

    private suspend fun <T> run(
        options: VerificationOptions,
        begin: (CoreOptions) -> RunningFlow<T>,
    ): T {
        val current =
            synchronized(running) {
                check(!closed) { "This NumberVerifier is closed." }
                options.use { core -> orVerifyException { begin(core) }.also { running += it } }
            }
        try {
            return current.result()
        } catch (failure: CoreException) {
            throw failure.toVerifyException(Trace(current.trace()))
        } catch (_: InternalException) {
            throw CoreException.Internal().toVerifyException(null)
        } finally {
            synchronized(running) { running -= current }
            current.destroy()
        }
    }

    /** Emits the progress of a run, then its result. */
    private fun progressOf(run: suspend (ProgressListener) -> Progress): Flow<Progress> =
        channelFlow<Result<Progress>> {
            val listener =
                object : ProgressListener {
                    override fun onProgress(progress: CoreProgress) {
                        trySend(Result.success(progress.toProgress()))
                    }
                }
            // An error is queued behind earlier events: thrown here, it would cancel a collector
            // that has not received them yet.
            val end =
                try {
                    Result.success(run(listener))
                } catch (failure: VerifyException) {
                    Result.failure(failure)
                }
            send(end)
        }.buffer(Channel.UNLIMITED).map { it.getOrThrow() }

    private companion object {
        fun onAndroid(
            context: Context,
            backend: Backend?,
            config: NumberVerifierConfig,
        ): CoreVerifier {
            val app = context.applicationContext ?: context
            val cellular =
                if (config.development.anyNetwork) {
                    AnyNetwork.ifDebuggable(app)
                } else {
                    AndroidCellularProvider(app, config.subscriptionId)
                }
            return create(cellular, backend, AndroidServerTrust(), config)
        }

        fun create(
            cellular: CellularProvider,
            backend: Backend?,
            serverTrust: ServerTrust?,
            config: NumberVerifierConfig,
        ): CoreVerifier {
            val settings = config.toCore()
            val safeCellular = SafeCellularProvider(cellular)
            val safeTrust = serverTrust?.let(::SafeServerTrust)
            try {
                return orVerifyException {
                    if (backend == null) {
                        CoreVerifier(settings, safeCellular, safeTrust)
                    } else {
                        CoreVerifier.withBackend(settings, safeCellular, SafeBackend(backend), safeTrust)
                    }
                }
            } finally {
                (settings.headers + settings.operatorHeaders).forEach(CoreHeader::destroy)
            }
        }
    }
}
