package dev.numberverify.sample

import dev.numberverify.Progress

/**
 * What the screen shows, and how it changes while a verification runs. Pure: no Android, no coroutine, and never the phone number.
 */
sealed interface UiState {
    val steps: Steps

    /** The trace as a table, once there is one. */
    val trace: String? get() = null

    /** A verification can begin. */
    data class Ready(
        val numberIsInvalid: Boolean = false,
    ) : UiState {
        override val steps: Steps get() = Steps()
    }

    data class Running(
        override val steps: Steps = Steps(),
    ) : UiState {
        fun after(progress: Progress): UiState {
            val steps = steps.after(progress)
            return when (progress) {
                is Progress.Done -> Verdict(progress.verification.verified, steps, progress.verification.trace.toTable())
                else -> Running(steps)
            }
        }

        fun failed(problem: Problem): UiState = Failed(problem, steps.ended(problem.step))

        fun cancelled(): UiState = Cancelled(steps.ended())
    }

    data class Verdict(
        val verified: Boolean,
        override val steps: Steps,
        override val trace: String,
    ) : UiState

    data class Failed(
        val problem: Problem,
        override val steps: Steps,
    ) : UiState {
        override val trace: String? get() = problem.trace
    }

    data class Cancelled(
        override val steps: Steps,
    ) : UiState
}
