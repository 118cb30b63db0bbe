package dev.numberverify

/**
 * What happens in a running verification or retrieval, in order. Holds nothing secret but its last element.
 *
 * A later version may have further kinds: give a `when` an `else`.
 */
public sealed interface Progress {
    /** A step began. [Step.START] and [Step.ACQUIRE] run at the same time. */
    public data class StepBegan(
        /** The step. */
        val step: Step,
        /** Milliseconds since the verification began. */
        val atMs: Long,
    ) : Progress

    /** A step ended well. */
    public data class StepEnded(
        /** The step. */
        val step: Step,
        /** Milliseconds since the verification began. */
        val atMs: Long,
    ) : Progress

    /** A host on the operator's side answered. */
    public data class HopAnswered(
        /** The request, as in the trace. */
        val hop: Hop,
        /** Milliseconds since the verification began. */
        val atMs: Long,
    ) : Progress

    /**
     * The verification takes longer than [NumberVerifierConfig.slowAfterMs], and goes on: time to offer the user another channel beside it.
     * Comes once at most.
     */
    public data class Slow(
        /** Milliseconds since the verification began. */
        val atMs: Long,
    ) : Progress

    /** The verdict; nothing follows. */
    public data class Done(
        /** The verdict. */
        val verification: Verification,
    ) : Progress

    /** The number that [NumberVerifying.retrieving] retrieved; nothing follows. */
    public data class Retrieved(
        /** The number. */
        val number: RetrievedNumber,
    ) : Progress
}

internal fun CoreProgress.toProgress(): Progress =
    when (this) {
        is CoreProgress.StepBegan -> Progress.StepBegan(step, atMs.toLong())
        is CoreProgress.StepEnded -> Progress.StepEnded(step, atMs.toLong())
        is CoreProgress.Slow -> Progress.Slow(atMs.toLong())
        is CoreProgress.HopAnswered -> Progress.HopAnswered(Hop(hop), atMs.toLong())
    }
