package dev.numberverify.testing

import dev.numberverify.CellularStatus
import dev.numberverify.NumberVerifying
import dev.numberverify.Progress
import dev.numberverify.RetrievedNumber
import dev.numberverify.Verification
import dev.numberverify.VerificationOptions
import dev.numberverify.VerifyException
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.flow

/**
 * A [NumberVerifying] for an app's own tests. Returns the results that the test has enqueued, and
 * records the calls. Uses no network and does not load the native library.
 *
 * ```kotlin
 * val verifier = FakeNumberVerifier()
 * verifier.enqueue(verified = true)
 * verifier.enqueue(phoneNumber = "+14155550100")
 * verifier.enqueue(VerifyException.CellularUnavailable(CellularCause.DATA_OFF, Fallback.ASK_TO_ENABLE_MOBILE_DATA))
 * ```
 *
 * Each call of [verify] and [retrieve] and each collector of [verifying] and [retrieving] takes the
 * next result. Throws an [AssertionError] if no result is enqueued, or if the next one is for the
 * other kind of call. A call whose coroutine is cancelled throws its `CancellationException`.
 * Thread-safe.
 */
public class FakeNumberVerifier : NumberVerifying {
    private val results = ArrayDeque<Canned>()
    private val recorded = mutableListOf<Call>()
    private val held = MutableStateFlow(false)

    /** Returned by [check]. Defaults to [CellularStatus.Ready]. */
    @Volatile
    public var status: CellularStatus = CellularStatus.Ready

    /** Thrown by [prepare]. Defaults to `null`: [prepare] succeeds. */
    @Volatile
    public var prepareFailure: VerifyException? = null

    /** How often [prepare] was called. */
    public var prepareCount: Int = 0
        get() = synchronized(recorded) { field }
        private set

    /**
     * The calls of [verify] and [retrieve] and the collectors of [verifying] and [retrieving], in
     * order.
     */
    public val calls: List<Call> get() = synchronized(recorded) { recorded.toList() }

    /**
     * Enqueues the result of a verification.
     *
     * @param verification returned to the caller.
     * @param progress emitted by [verifying] before the result.
     * @param delayMs how long the call takes: a `delay`, which the virtual time of `runTest` skips.
     */
    public fun enqueue(
        verification: Verification,
        progress: List<Progress> = emptyList(),
        delayMs: Long = 0,
    ): Unit = add(Canned(Result.success(verification), progress, delayMs))

    /**
     * Enqueues the result of a verification by its [Verification.verified]; see the other
     * [enqueue].
     */
    public fun enqueue(
        verified: Boolean,
        progress: List<Progress> = emptyList(),
        delayMs: Long = 0,
    ): Unit = enqueue(Verification(verified), progress, delayMs)

    /** Enqueues the result of a retrieval; see the other [enqueue]. */
    public fun enqueue(
        number: RetrievedNumber,
        progress: List<Progress> = emptyList(),
        delayMs: Long = 0,
    ): Unit = add(Canned(Result.success(number), progress, delayMs))

    /**
     * Enqueues the result of a retrieval by its number, in E.164 format; see the other [enqueue].
     */
    public fun enqueue(
        phoneNumber: String,
        progress: List<Progress> = emptyList(),
        delayMs: Long = 0,
    ): Unit = enqueue(RetrievedNumber(phoneNumber), progress, delayMs)

    /** Enqueues an error for either kind of call; see the other [enqueue]. */
    public fun enqueue(
        failure: VerifyException,
        progress: List<Progress> = emptyList(),
        delayMs: Long = 0,
    ): Unit = add(Canned(Result.failure(failure), progress, delayMs))

    /**
     * Makes calls suspend after their progress and their delay, until [release]. For tests of a
     * loading state.
     */
    public fun hold() {
        held.value = true
    }

    /** Resumes the calls that [hold] has suspended. */
    public fun release() {
        held.value = false
    }

    override suspend fun verify(
        phoneNumber: String,
        options: VerificationOptions.() -> Unit,
    ): Verification = run(Call(phoneNumber, VerificationOptions().apply(options))) {}

    override suspend fun retrieve(options: VerificationOptions.() -> Unit): RetrievedNumber =
        run(Call(null, VerificationOptions().apply(options))) {}

    override fun verifying(
        phoneNumber: String,
        options: VerificationOptions.() -> Unit,
    ): Flow<Progress> = flow { emit(Progress.Done(run(Call(phoneNumber, VerificationOptions().apply(options)), ::emit))) }

    override fun retrieving(options: VerificationOptions.() -> Unit): Flow<Progress> =
        flow { emit(Progress.Retrieved(run(Call(null, VerificationOptions().apply(options)), ::emit))) }

    override suspend fun check(): CellularStatus = status

    override suspend fun prepare() {
        currentCoroutineContext().ensureActive()
        synchronized(recorded) { prepareCount++ }
        prepareFailure?.let { throw it }
    }

    private fun add(result: Canned) {
        synchronized(recorded) { results += result }
    }

    private suspend inline fun <reified T> run(
        call: Call,
        noinline emit: suspend (Progress) -> Unit,
    ): T {
        currentCoroutineContext().ensureActive()
        val canned =
            synchronized(recorded) {
                recorded += call
                results.removeFirstOrNull()
            } ?: throw AssertionError("FakeNumberVerifier: no result is enqueued for this call")
        val result =
            canned.result.map {
                it as? T
                    ?: throw AssertionError("FakeNumberVerifier: the next result is for the other kind of call")
            }
        canned.progress.forEach { emit(it) }
        delay(canned.delayMs)
        held.first { !it }
        currentCoroutineContext().ensureActive()
        return result.getOrThrow()
    }

    private class Canned(
        val result: Result<Any>,
        val progress: List<Progress>,
        val delayMs: Long,
    )

    /** A recorded call. Its `toString()` contains neither the number nor an option. */
    public class Call internal constructor(
        private val phoneNumber: String?,
        /**
         * The options, for comparison:
         * `assertEquals(VerificationOptions().header("Authorization", token), call.options)`.
         */
        public val options: VerificationOptions,
    ) {
        /** Returns the number as the app passed it; `null` for a retrieval. */
        public fun phoneNumber(): String? = phoneNumber

        override fun toString(): String = "Call"
    }
}
