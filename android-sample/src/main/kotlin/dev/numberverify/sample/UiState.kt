package dev.numberverify.sample

import dev.numberverify.Progress
import dev.numberverify.RetrievedNumber

/**
 * What the screen shows, and how it changes while a verification or retrieval runs. Pure: no Android, no coroutine. No `toString()`
 * includes the phone number.
 */
sealed interface UiState {
    val steps: Steps

    /** The trace as a table, once there is one. */
    val trace: String? get() = null

    /** A verification or retrieval can begin. */
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
                is Progress.Done -> Verdict(progress.verification.verified, steps, progress.verification.trace.toTable())
                is Progress.Retrieved -> Retrieved(progress.number, steps)
                else -> copy(steps = steps)
            }
        }

        fun failed(problem: Problem): UiState = Failed(problem, steps.ended(problem.step), purpose)

        fun cancelled(): UiState = Cancelled(steps.ended())
    }

    data class Verdict(
        val verified: Boolean,
        override val steps: Steps,
        override val trace: String,
    ) : UiState

    data class Retrieved(
        val number: RetrievedNumber,
        override val steps: Steps,
    ) : UiState {
        override val trace: String get() = number.trace.toTable()
    }

    data class Failed(
        val problem: Problem,
        override val steps: Steps,
        /** To try again. */
        val purpose: Purpose = Purpose.VERIFY,
    ) : UiState {
        override val trace: String? get() = problem.trace
    }

    data class Cancelled(
        override val steps: Steps,
    ) : UiState
}

/** What the user began. */
enum class Purpose { VERIFY, RETRIEVE }
