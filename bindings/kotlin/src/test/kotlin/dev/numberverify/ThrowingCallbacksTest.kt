package dev.numberverify

import com.sun.jna.Native
import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.After
import org.junit.Before
import org.junit.Test
import java.io.IOException
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.coroutines.cancellation.CancellationException
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

/**
 * Whatever an app's callback throws, the verification fails with the typed error of that callback:
 * long before its deadlines, without an uncaught exception, and with the network released once. The
 * next verification of the same verifier succeeds.
 */
class ThrowingCallbacksTest {
    /** The app's backend and the operator, behind one certificate. */
    private val server: ScriptedServer =
        ScriptedServer(authority.issue(HOST)) { path ->
            when {
                path.startsWith("/authorize") -> ScriptedServer.redirect("myapp://done?code=a-code&state=a-state")
                path.endsWith("start") -> ScriptedServer.status(200, """{"authUrl":"${authUrl()}"}""", "application/json")
                else -> ScriptedServer.status(200, """{"verified":true}""", "application/json")
            }
        }

    private fun authUrl(): String = "https://$HOST:${server.port}/authorize?state=a-state&redirect_uri=myapp%3A%2F%2Fdone"

    private val app = ThrowingApp(authUrl())
    private val uncaught = ConcurrentLinkedQueue<Throwable>()
    private val reportsUncaught = Thread.UncaughtExceptionHandler { _, throwable -> uncaught += throwable }

    @Before
    fun collectUncaught() {
        Thread.setDefaultUncaughtExceptionHandler(reportsUncaught)
        Native.setCallbackExceptionHandler { _, throwable -> uncaught += throwable }
    }

    @After
    fun stop() {
        server.close()
        Thread.setDefaultUncaughtExceptionHandler(null)
    }

    private fun NumberVerifierConfig.reach() {
        development.anyNetwork = true
        development.resolve += "$HOST:${server.port}:127.0.0.1"
        useGenerousDeadlines()
    }

    private fun withCustomBackend() = NumberVerifier(app, app, "https://unused.test", app) { reach() }

    private fun withBuiltInBackend() = NumberVerifier(app, "https://$HOST:${server.port}", app) { reach() }

    /**
     * The exception thrown by a callback, the result of the verification, and the number of
     * requests that reached the server.
     */
    private class Outcome(
        val thrown: String,
        val result: Result<Verification>,
        val requests: Int,
    )

    /**
     * Each Throwable in turn, thrown immediately and after a suspension; after each, a verification
     * whose callbacks succeed. Each has a separate verifier, because a verifier validates the
     * backend's certificate only when it opens a connection.
     */
    private fun eachThrowableIn(
        callback: Callback,
        verifier: () -> NumberVerifier,
        check: (Outcome) -> Unit,
    ) {
        for (suspendsFirst in listOf(false, true)) {
            for ((name, throwable) in throwables) {
                app.suspendsFirst = suspendsFirst
                app.failure = callback to throwable
                val before = server.requests.get()
                verifier().use {
                    runBlocking {
                        val result = app.once { it.verify(Simulator.NUMBER) }
                        check(Outcome(name, result, server.requests.get() - before))
                        app.failure = null
                        assertTrue(app.once { it.verify(Simulator.NUMBER) }.getOrThrow().verified, "after $name")
                    }
                }
            }
        }
        assertEquals(emptyList(), uncaught.toList())
    }

    @Test
    fun throwableInCheckServerTrustedRejectsTheOperator() =
        eachThrowableIn(Callback.CHECK_SERVER_TRUSTED, ::withCustomBackend) {
            val error = failing<VerifyException.Authorization> { it.result.getOrThrow() }
            assertEquals(AuthorizationCause.TLS to Fallback.USE_ANOTHER_CHANNEL, error.reason to error.fallback, it.thrown)
            assertEquals(0, it.requests, "${it.thrown}: a request was sent")
        }

    @Test
    fun throwableInCheckServerTrustedRejectsTheBackend() =
        eachThrowableIn(Callback.CHECK_SERVER_TRUSTED, ::withBuiltInBackend) {
            val error = failing<VerifyException.Backend> { it.result.getOrThrow() }
            assertEquals(BackendCause.TLS to Fallback.FIX_INTEGRATION, error.reason to error.fallback, it.thrown)
            assertEquals(0, it.requests, "${it.thrown}: a request was sent")
        }

    @Test
    fun throwableInAcquireIsUnsupported() =
        eachThrowableIn(Callback.ACQUIRE, ::withCustomBackend) {
            val error = failing<VerifyException.CellularUnavailable> { it.result.getOrThrow() }
            assertEquals(CellularCause.UNSUPPORTED, error.reason, it.thrown)
        }

    @Test
    fun throwableInReleaseDoesNotChangeTheResult() =
        eachThrowableIn(Callback.RELEASE, ::withCustomBackend) { assertTrue(it.result.getOrThrow().verified, it.thrown) }

    @Test
    fun throwableInStartIsAppFailed() =
        eachThrowableIn(Callback.START, ::withCustomBackend) { assertAppFailed(Step.START, it.result, it.thrown) }

    @Test
    fun throwableInCompleteIsAppFailed() =
        eachThrowableIn(Callback.COMPLETE, ::withCustomBackend) { assertAppFailed(Step.COMPLETE, it.result, it.thrown) }

    @Test
    fun throwableInStatusIsUnsupported() =
        withCustomBackend().use { verifier ->
            for ((name, throwable) in throwables) {
                app.failure = Callback.STATUS to throwable
                assertEquals(CellularStatus.Unavailable(CellularCause.UNSUPPORTED), runBlocking { verifier.check() }, name)
                app.failure = null
                assertEquals(CellularStatus.Ready, runBlocking { verifier.check() }, "after $name")
            }
            assertEquals(emptyList(), uncaught.toList())
        }

    /** Apps have no listener: [NumberVerifier.verifying] uses one. */
    @Test
    fun throwableInOnProgressDoesNotChangeTheResult() =
        core(SafeCellularProvider(app), SafeBackend(app), SafeServerTrust(app)).use { core ->
            suspend fun verify() =
                core.beginWith(Simulator.NUMBER, CoreOptions(), SafeProgressListener(app)).use { it.result().toVerification() }
            for ((name, throwable) in throwables) {
                app.failure = Callback.ON_PROGRESS to throwable
                assertTrue(runBlocking { app.once(::verify) }.getOrThrow().verified, name)
            }
            assertEquals(emptyList(), uncaught.toList())
        }

    /**
     * The core does not rely on the wrapper: the callback's status is then success and its value
     * `false`.
     */
    @Test
    fun errorInUnwrappedCheckServerTrustedIsRejectedByTheCore() {
        val errors = throwables.filterValues { it() !is Exception }
        assertTrue(errors.size >= 6)
        for ((name, error) in errors) {
            app.failure = Callback.CHECK_SERVER_TRUSTED to error
            core(SafeCellularProvider(app), SafeBackend(app), app).use { core ->
                val result =
                    runBlocking { app.once { core.beginWith(Simulator.NUMBER, CoreOptions(), null).use { it.result().destroy() } } }
                val rejection = assertFailsWith<CoreException.Authorization>(name) { result.getOrThrow() }
                assertEquals(AuthorizationCause.TLS, rejection.reason, name)
            }
            core(SafeCellularProvider(app), null, app).use { core ->
                val result =
                    runBlocking { app.once { core.beginWith(Simulator.NUMBER, CoreOptions(), null).use { it.result().destroy() } } }
                val rejection = assertFailsWith<CoreException.Backend>(name) { result.getOrThrow() }
                assertEquals(BackendCause.TLS, rejection.reason, name)
            }
            assertEquals(0, server.requests.get(), "$name: a request was sent")
        }
    }

    @Test
    fun declaredExceptionKeepsItsMeaning() {
        withCustomBackend().use { verifier ->
            fun resultOf(
                callback: Callback,
                throwable: () -> Throwable,
            ) = runBlocking { app.also { it.failure = callback to throwable }.once { verifier.verify(Simulator.NUMBER) } }

            val airplane = resultOf(Callback.ACQUIRE) { CellularException.Unavailable(CellularCause.AIRPLANE) }
            assertEquals(CellularCause.AIRPLANE, assertFailsWith<VerifyException.CellularUnavailable> { airplane.getOrThrow() }.reason)

            val busy = resultOf(Callback.COMPLETE) { BackendException.Status(429u, null, 7u) }
            val error = assertFailsWith<VerifyException.Backend> { busy.getOrThrow() }
            assertEquals(listOf<Any?>(BackendCause.STATUS, 429, 7L), listOf(error.reason, error.status, error.retryAfterSeconds))

            val ofAnotherInterface = resultOf(Callback.START) { CellularException.Unavailable(CellularCause.AIRPLANE) }
            assertAppFailed(Step.START, ofAnotherInterface, "CellularException")
        }
        assertEquals(emptyList(), uncaught.toList())
    }

    @Test
    fun unconvertibleResultIsAFailure() =
        withCustomBackend().use { verifier ->
            fun verified() = runBlocking { app.once { verifier.verify(Simulator.NUMBER) } }

            val good = app.started
            app.started = { good().also(AuthorizationStart::destroy) }
            assertAppFailed(Step.START, verified(), "destroyed")
            app.started = { AuthorizationStart(NoHandle) }
            assertAppFailed(Step.START, verified(), "without a Rust object")
            app.started = { fromJava() }
            assertAppFailed(Step.START, verified(), "null")
            app.started = good

            app.completed = "{\"verified\":true,\"name\":\"\uD800\"}"
            assertAppFailed(Step.COMPLETE, verified(), "a lone surrogate")
            app.completed = """{"verified":true}"""

            app.binding = NetworkBinding.LinuxInterface("wwan\uD800")
            val error = assertFailsWith<VerifyException.CellularUnavailable> { verified().getOrThrow() }
            assertEquals(CellularCause.UNSUPPORTED, error.reason)
            app.binding = NetworkBinding.Unbound

            assertTrue(verified().getOrThrow().verified)
            assertEquals(emptyList(), uncaught.toList())
        }

    /** The coroutine is a child of the one in which the core called the app. */
    @Test
    fun failingCoroutineLaunchedInTheCallContextIsAFailure() {
        val fails = AtomicBoolean(true)
        val backend =
            object : Backend by app {
                override suspend fun complete(request: CompletionRequest): String {
                    val children = CoroutineScope(currentCoroutineContext())
                    if (fails.get()) {
                        children.launch { throw AssertionError() }
                        awaitCancellation()
                    }
                    children.launch { awaitCancellation() }
                    return app.complete(request)
                }
            }
        NumberVerifier(app, backend, "https://unused.test", app) { reach() }.use { verifier ->
            assertAppFailed(Step.COMPLETE, runBlocking { app.once { verifier.verify(Simulator.NUMBER) } }, "child")
            fails.set(false)
            assertTrue(
                runBlocking { app.once { verifier.verify(Simulator.NUMBER) } }.getOrThrow().verified,
                "a child that is still running is cancelled",
            )
        }
        assertEquals(emptyList(), uncaught.toList())
    }

    @Test
    fun panicInTheCoreIsAnInternalError() {
        val error = failing<VerifyException.Internal> { orVerifyException { throw InternalException(CANARY) } }
        assertEquals(Fallback.USE_ANOTHER_CHANNEL, error.fallback)
    }

    private fun assertAppFailed(
        step: Step,
        result: Result<Verification>,
        name: String,
    ) {
        val error = failing<VerifyException.Backend> { result.getOrThrow() }
        assertEquals(step to BackendCause.APP_FAILED, error.step to error.reason, name)
        assertEquals(Fallback.FIX_INTEGRATION, error.fallback, name)
    }

    private fun core(
        cellular: CellularProvider,
        backend: Backend?,
        trust: ServerTrust,
    ): CoreVerifier {
        val settings = NumberVerifierConfig("https://$HOST:${server.port}").apply { reach() }.toCore()
        return if (backend ==
            null
        ) {
            CoreVerifier(settings, cellular, trust)
        } else {
            CoreVerifier.withBackend(settings, cellular, backend, trust)
        }
    }

    private class CustomThrowable : Throwable(CANARY)

    private class CustomCancellation : CancellationException(CANARY)

    /** All of its string representations throw, too. */
    private class Unprintable : RuntimeException() {
        override val message: String get() = error(CANARY)

        override fun toString(): String = throw AssertionError(CANARY)
    }

    private companion object {
        const val HOST = "op.test"
        val authority = Authority("trusted by the app")

        val throwables: Map<String, () -> Throwable> =
            mapOf(
                "AssertionError" to { AssertionError(CANARY) },
                "NotImplementedError" to { assertFailsWith<NotImplementedError> { TODO(CANARY) } },
                "NoClassDefFoundError" to { NoClassDefFoundError(CANARY) },
                "UnsatisfiedLinkError" to { UnsatisfiedLinkError(CANARY) },
                "ExceptionInInitializerError" to { ExceptionInInitializerError(CANARY) },
                "StackOverflowError" to { assertFailsWith<StackOverflowError> { overflow(0) } },
                "OutOfMemoryError" to { OutOfMemoryError(CANARY) },
                "InternalError" to { InternalError(CANARY) },
                "custom Throwable" to { CustomThrowable() },
                "RuntimeException" to { IllegalStateException(CANARY) },
                "checked Exception" to { IOException(CANARY) },
                "InterruptedException" to { InterruptedException(CANARY) },
                "CancellationException" to { CustomCancellation() },
                "unprintable" to { Unprintable() },
            )

        fun overflow(depth: Int): Int = overflow(depth + 1) + overflow(depth + 2)

        /** Returns `null`, as a Java class may. */
        @Suppress("UNCHECKED_CAST")
        fun <T> fromJava(): T = null as T
    }
}
