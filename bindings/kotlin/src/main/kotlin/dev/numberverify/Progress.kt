package dev.numberverify

/**
 * The events of a running verification or retrieval, in order. They contain nothing secret, except
 * for the last one.
 *
 * Later versions may add kinds: give a `when` an `else`.
 */
public sealed interface Progress {
    /** A step began. [Step.START] and [Step.ACQUIRE] run at the same time. */
    public data class StepBegan(
        /** The step. */
        val step: Step,
        /** Milliseconds since the verification began. */
        val atMs: Long,
    ) : Progress

    /** A step completed. */
    public data class StepEnded(
        /** The step. */
        val step: Step,
        /** Milliseconds since the verification began. */
        val atMs: Long,
    ) : Progress

    /** A host on the operator's side responded. */
    public data class HopAnswered(
        /** The request, as in the trace. */
        val hop: Hop,
        /** Milliseconds since the verification began. */
        val atMs: Long,
    ) : Progress

    /**
     * The verification takes longer than [NumberVerifierConfig.slowAfterMs] and continues: the app
     * can offer the user another channel at the same time. Emitted at most once.
     */
    public data class Slow(
        /** Milliseconds since the verification began. */
        val atMs: Long,
    ) : Progress

    /** The result; the last event. */
    public data class Done(
        /** The result. */
        val verification: Verification,
    ) : Progress

    /** The number that [NumberVerifying.retrieving] retrieved; the last event. */
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
