package dev.numberverify.sample

import dev.numberverify.Hop
import dev.numberverify.Progress
import dev.numberverify.Step

/**
 * The four steps of one verification or retrieval and the hosts that responded, as listed on the
 * screen. Immutable; independent of views.
 */
data class Steps(
    private val states: Map<Step, StepState> = emptyMap(),
    val hops: List<HopRow> = emptyList(),
    val totalMs: Long? = null,
    /** The verification took longer than usual. */
    val isSlow: Boolean = false,
) {
    operator fun get(step: Step): StepState = states[step] ?: StepState.Waiting

    /** The running step that began last. */
    val current: Step?
        get() = states.filterValues { it is StepState.Running }.maxByOrNull { it.key }?.key

    fun after(progress: Progress): Steps =
        when (progress) {
            is Progress.StepBegan -> with(progress.step, StepState.Running(progress.atMs))
            is Progress.StepEnded -> with(progress.step, StepState.Done(progress.atMs - began(progress.step, progress.atMs)))
            is Progress.HopAnswered -> copy(hops = hops + HopRow(progress.hop))
            is Progress.Slow -> copy(isSlow = true)
            is Progress.Done -> copy(totalMs = progress.verification.trace.totalMs)
            is Progress.Retrieved -> copy(totalMs = progress.number.trace.totalMs)
        }

    /**
     * Returns the steps after a verification without a result: the [failed] step has failed, and
     * all other running steps are stopped.
     */
    fun ended(failed: Step? = null): Steps {
        val stopped = states.mapValues { (_, state) -> if (state is StepState.Running) StepState.Stopped else state }
        return copy(states = if (failed == null) stopped else stopped + (failed to StepState.Failed))
    }

    private fun began(
        step: Step,
        otherwise: Long,
    ): Long = (this[step] as? StepState.Running)?.sinceMs ?: otherwise

    private fun with(
        step: Step,
        state: StepState,
    ): Steps = copy(states = states + (step to state))
}

/**
 * The state of a step. Times are in milliseconds: since the verification began, and the duration of
 * the step.
 */
sealed interface StepState {
    data object Waiting : StepState

    data class Running(
        val sinceMs: Long,
    ) : StepState

    data class Done(
        val durationMs: Long,
    ) : StepState

    data object Failed : StepState

    data object Stopped : StepState
}

/**
 * A request to one host. Times are in milliseconds; [status] is `null` if there was no response.
 */
data class HopRow(
    val index: Int,
    val host: String,
    val isCleartext: Boolean,
    val status: Int?,
    val durationMs: Long,
) {
    constructor(hop: Hop) : this(
        index = hop.index,
        host = hop.host,
        isCleartext = hop.scheme == "http",
        status = hop.status,
        durationMs = listOfNotNull(hop.dnsMs, hop.connectMs, hop.tlsMs, hop.firstByteMs).sum(),
    )
}
