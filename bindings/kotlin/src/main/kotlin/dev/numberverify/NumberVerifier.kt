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
 * Verifies that this phone has a phone number, or retrieves the number: silently, over the cellular network, without an SMS code.
 *
 * Keep one for the whole app. All functions may be called from any thread, the main thread too, and at the same time: flows that
 * run at the same time share the cellular network. It has one thread of its own, which starts with the first call; before, nothing is
 * opened or sent.
 *
 * App code that depends on [NumberVerifying] instead can be tested without it. The functions of [NumberVerifying] throw an
 * [IllegalStateException] after [close].
 */
public class NumberVerifier private constructor(
    private val core: CoreVerifier,
) : NumberVerifying,
    AutoCloseable {
    private val running = mutableSetOf<RunningFlow<*>>()
    private var closed = false
    private val futures = CoroutineScope(Dispatchers.Default)

    /**
     * A verifier for an Android app.
     *
     * @param context any context of the app; only its application context is kept.
     * @param backend the base URL of the app's backend, such as `https://api.example.com/number-verify`: https (http only to
     *   loopback), without user name, query and fragment.
     * @param configure changes further settings; all of them have defaults.
     * @throws VerifyException.InvalidConfig where a setting cannot work.
     */
    @JvmOverloads
    public constructor(
        context: Context,
        backend: String,
        configure: NumberVerifierConfig.() -> Unit = {},
    ) : this(onAndroid(context, null, NumberVerifierConfig(backend).apply(configure)))

    /**
     * A verifier for an Android app that calls its backend with its own API client.
     *
     * @param context any context of the app; only its application context is kept.
     * @param backend makes the two calls. If it throws anything but a [BackendException], the verification fails with
     *   [BackendCause.APP_FAILED].
     * @param backendUrl the backend's base URL; only its origin counts, where the code is delivered by
     *   [follow-through][CodeDelivery.FOLLOW_THROUGH].
     * @param configure changes further settings; all of them have defaults.
     * @throws VerifyException.InvalidConfig where a setting cannot work.
     */
    @JvmOverloads
    public constructor(
        context: Context,
        backend: Backend,
        backendUrl: String,
        configure: NumberVerifierConfig.() -> Unit = {},
    ) : this(onAndroid(context, backend, NumberVerifierConfig(backendUrl).apply(configure)))

    /**
     * A verifier with its own way to the cellular network.
     *
     * @param cellular brings the network up. Give each verifier its own.
     * @param backend the base URL of the app's backend, as above.
     * @param serverTrust validates certificate chains. Required on Android, such as [AndroidServerTrust]; elsewhere, `null` uses the
     *   platform's trust store. Only `true` means trusted: a chain for which it returns `false` or throws anything is rejected.
     * @param configure changes further settings; all of them have defaults.
     * @throws VerifyException.InvalidConfig where a setting cannot work.
     */
    @JvmOverloads
    public constructor(
        cellular: CellularProvider,
        backend: String,
        serverTrust: ServerTrust? = null,
        configure: NumberVerifierConfig.() -> Unit = {},
    ) : this(create(cellular, null, serverTrust, NumberVerifierConfig(backend).apply(configure)))

    /**
     * A verifier with its own way to the cellular network and its own API client.
     *
     * @param cellular brings the network up. Give each verifier its own.
     * @param backend makes the two calls.
     * @param backendUrl the backend's base URL, as above.
     * @param serverTrust whether a server is trusted, as above.
     * @param configure changes further settings; all of them have defaults.
     * @throws VerifyException.InvalidConfig where a setting cannot work.
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
     * [verify] for Java. Cancelling the future ends the flow. The future fails with a [VerifyException], which `get()` wraps in an
     * `ExecutionException`.
     *
     * @param phoneNumber as for [verify].
     * @param options what this verification adds to the settings.
     */
    @JvmOverloads
    public fun verifyAsync(
        phoneNumber: String,
        options: VerificationOptions = VerificationOptions(),
    ): CompletableFuture<Verification> {
        val own = options.copy()
        return futures.future { runVerification(phoneNumber, own) }
    }

    override suspend fun retrieve(options: VerificationOptions.() -> Unit): RetrievedNumber =
        runRetrieval(VerificationOptions().apply(options))

    override fun retrieving(options: VerificationOptions.() -> Unit): Flow<Progress> =
        progressOf { Progress.Retrieved(runRetrieval(VerificationOptions().apply(options), it)) }

    /**
     * [retrieve] for Java. Cancelling the future ends the retrieval. The future fails as that of [verifyAsync].
     *
     * @param options what this retrieval adds to the settings.
     */
    @JvmOverloads
    public fun retrieveAsync(options: VerificationOptions = VerificationOptions()): CompletableFuture<RetrievedNumber> {
        val own = options.copy()
        return futures.future { runRetrieval(own) }
    }

    override suspend fun check(): CellularStatus = orVerifyException { core.check() }

    /** [check] for Java. */
    public fun checkAsync(): CompletableFuture<CellularStatus> = futures.future { check() }

    override suspend fun prepare(): Unit = orVerifyException { core.prepare() }

    /** [prepare] for Java. Cancelling the future stops waiting only. */
    public fun prepareAsync(): CompletableFuture<Void?> = futures.future { prepare().let { null } }

    /**
     * Forgets which hosts followed each other in earlier verifications of this verifier, such as when the user signs out: the next one
     * opens no connection ahead, except to [authOrigin][NumberVerifierConfig.authOrigin]. One that still runs remembers its hosts when it
     * ends. Throws an [IllegalStateException] after [close].
     */
    public fun forgetHosts(): Unit = orVerifyException { core.forgetHosts() }

    /**
     * Ends all verifications and retrievals, which fail with [VerifyException.Cancelled], and releases the network and the thread. Returns
     * at once. Closing it again does nothing.
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
        val flow =
            synchronized(running) {
                check(!closed) { "This NumberVerifier is closed." }
                options.use { core -> orVerifyException { begin(core) }.also { running += it } }
            }
        try {
            return flow.result()
        } catch (failure: CoreException) {
            throw failure.toVerifyException(Trace(flow.trace()))
        } catch (_: InternalException) {
            throw CoreException.Internal().toVerifyException(null)
        } finally {
            synchronized(running) { running -= flow }
            flow.destroy()
        }
    }

    /** What a run reports, and then its result. */
    private fun progressOf(run: suspend (ProgressListener) -> Progress): Flow<Progress> =
        channelFlow<Result<Progress>> {
            val listener =
                object : ProgressListener {
                    override fun onProgress(progress: CoreProgress) {
                        trySend(Result.success(progress.toProgress()))
                    }
                }
            // An error takes its turn behind what happened before it: thrown here, it would cancel a collector that has yet to read that.
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
