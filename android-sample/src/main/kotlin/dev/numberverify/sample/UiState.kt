package dev.numberverify.sample

import dev.numberverify.Progress
import dev.numberverify.RetrievedNumber

/**
 * The state of the screen, and its transitions during a verification or retrieval. Pure: no
 * Android, no coroutines. No `toString()` contains the phone number.
 */
sealed interface UiState {
    val steps: Steps

    /** The trace as a table; `null` before the end. */
    val trace: String? get() = null

    /** The text to share: the trace in words, as a table and as JSON; `null` before the end. */
    val report: String? get() = null

    /** Idle: a verification or retrieval can start. */
    data class Ready(
        val numberIsInvalid: Boolean = false,
    ) : UiState {
        override val steps: Steps get() = Steps()
    }

    data class Running(
        override val steps: Steps = Steps(),
        val purpose: Purpose = Purpose.VERIFY,
    ) : UiState {
        fun after(progress: Progress): UiState {
            val steps = steps.after(progress)
            return when (progress) {
                is Progress.Done ->
                    with(progress.verification) { Completed(verified, steps, trace.toTable(), trace.report()) }
                is Progress.Retrieved -> Retrieved(progress.number, steps)
                else -> copy(steps = steps)
            }
        }

        fun failed(problem: Problem): UiState = Failed(problem, steps.ended(problem.step), purpose)

        fun cancelled(): UiState = Cancelled(steps.ended())
    }

    data class Completed(
        val verified: Boolean,
        override val steps: Steps,
        override val trace: String,
        override val report: String = trace,
    ) : UiState

    data class Retrieved(
        val number: RetrievedNumber,
        override val steps: Steps,
    ) : UiState {
        override val trace: String get() = number.trace.toTable()

        override val report: String get() = number.trace.report()
    }

    data class Failed(
        val problem: Problem,
        override val steps: Steps,
        /** The operation to repeat on "Try again". */
        val purpose: Purpose = Purpose.VERIFY,
    ) : UiState {
        override val trace: String? get() = problem.trace

        override val report: String get() = problem.report
    }

    data class Cancelled(
        override val steps: Steps,
    ) : UiState
}

/** The operation that the user started. */
enum class Purpose { VERIFY, RETRIEVE }
