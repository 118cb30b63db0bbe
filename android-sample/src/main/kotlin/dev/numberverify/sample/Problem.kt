package dev.numberverify.sample

import dev.numberverify.CellularCause
import dev.numberverify.Fallback
import dev.numberverify.Step
import dev.numberverify.Trace
import dev.numberverify.VerifyException

/** The parts of an error that the screen shows. */
data class Problem(
    val fallback: Fallback,
    /** A sentence for developers; safe to show and to share. */
    val cause: String,
    /** The step that failed. */
    val step: Step? = null,
    /** The trace as a table. */
    val trace: String? = null,
    val blockedInBackground: Boolean = false,
    /** For support and developers. */
    val report: String = cause,
) {
    constructor(failure: VerifyException) : this(
        fallback = failure.fallback,
        cause = failure.message.orEmpty(),
        step = failure.step,
        trace = failure.trace?.toTable(),
        blockedInBackground =
            failure is VerifyException.CellularUnavailable && failure.reason == CellularCause.BLOCKED_IN_BACKGROUND,
        report = failure.trace?.report() ?: failure.message.orEmpty(),
    )
}

/** The trace in words, as a table, and as JSON for `explain` and `replay` of the command line. */
fun Trace.report(): String = listOf(explain(), toTable(), toJson()).joinToString("\n")

private val VerifyException.step: Step?
    get() =
        when (this) {
            is VerifyException.CellularUnavailable -> Step.ACQUIRE
            is VerifyException.Backend -> step
            is VerifyException.DeadlineExceeded -> step
            is VerifyException.Authorization,
            is VerifyException.DeniedByOperator,
            is VerifyException.StateMismatch,
            -> Step.AUTHORIZE
            is VerifyException.InvalidPhoneNumber,
            is VerifyException.InvalidConfig,
            is VerifyException.Cancelled,
            is VerifyException.Internal,
            -> null
        }
