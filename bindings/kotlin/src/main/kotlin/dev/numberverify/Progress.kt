package dev.numberverify

/**
 * What happens in a running verification, in order. Holds nothing secret.
 *
 * A later version may have further kinds: give a `when` an `else`.
 */
public sealed interface Progress {
    /** A step began. [Step.START] and [Step.ACQUIRE] run at the same time. [atMs]: milliseconds since the verification began. */
    public data class StepBegan(
        val step: Step,
        val atMs: Long,
    ) : Progress

    /** A step ended well. [atMs]: milliseconds since the verification began. */
    public data class StepEnded(
        val step: Step,
        val atMs: Long,
    ) : Progress

    /** A host on the operator's side answered. [atMs]: milliseconds since the verification began. */
    public data class HopAnswered(
        val hop: Hop,
        val atMs: Long,
    ) : Progress

    /** The verdict; nothing follows. */
    public data class Done(
        val verification: Verification,
    ) : Progress
}

internal fun CoreProgress.toProgress(): Progress =
    when (this) {
        is CoreProgress.StepBegan -> Progress.StepBegan(step, atMs.toLong())
        is CoreProgress.StepEnded -> Progress.StepEnded(step, atMs.toLong())
        is CoreProgress.HopAnswered -> Progress.HopAnswered(Hop(hop), atMs.toLong())
    }
