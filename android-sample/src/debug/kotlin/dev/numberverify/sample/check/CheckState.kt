package dev.numberverify.sample.check

/** The state of the check, which only the transitions below change. Pure. */
data class CheckState(
    private val results: Map<CheckStep, CheckResult> = emptyMap(),
    /** The step that runs or waits for the person. */
    val current: CheckStep? = null,
    /** Whether [current] waits for the person. */
    val isWaiting: Boolean = false,
) {
    operator fun get(step: CheckStep): CheckResult = results[step] ?: NOT_RUN

    val isFinished: Boolean get() = current == null && results.size == CheckStep.entries.size

    fun count(outcome: Outcome): Int = CheckStep.entries.count { this[it].outcome == outcome }

    /** The step waits for the person if one is there; otherwise it runs. */
    fun began(
        step: CheckStep,
        isAttended: Boolean,
    ): CheckState = copy(current = step, isWaiting = isAttended && step.instruction != null)

    /** The person has pressed Continue. */
    fun continued(): CheckState = copy(isWaiting = false)

    fun ended(
        step: CheckStep,
        result: CheckResult,
    ): CheckState = copy(results = results + (step to result), current = null, isWaiting = false)

    private companion object {
        val NOT_RUN = CheckResult(Outcome.NOT_RUN, "The check has not reached this step.")
    }
}

enum class Outcome(
    /** The name in the report. */
    val id: String,
) {
    NOT_RUN("not_run"),
    PASSED("passed"),
    FAILED("failed"),
    SKIPPED("skipped"),
}

/** The result of a step. Contains no address, number or other secret. */
data class CheckResult(
    val outcome: Outcome,
    /** One sentence. */
    val reason: String,
    /** Measurements by name. */
    val facts: Map<String, String> = emptyMap(),
)
