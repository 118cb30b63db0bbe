package dev.numberverify.sample

import dev.numberverify.Fallback
import dev.numberverify.RetrievedNumber

/**
 * The card with the outcome of a verification or retrieval, or the notice that it is slow, as
 * resources. Pure.
 */
data class OutcomeCard(
    val tone: Tone,
    val icon: Int,
    val title: Int,
    val text: Int,
    /** Shown between the title and the text. */
    val number: RetrievedNumber? = null,
    /** For developers; shown below the text. */
    val cause: String? = null,
    val action: Action? = null,
    val otherAction: Action? = null,
) {
    enum class Tone(
        val background: Int,
        val foreground: Int,
    ) {
        SUCCESS(R.color.success, R.color.on_success),
        CAUTION(R.color.caution, R.color.on_caution),
        FAILURE(R.color.failure, R.color.on_failure),
        NEUTRAL(R.color.surface, R.color.on_surface),
    }

    enum class Action(
        val label: Int,
    ) {
        OPEN_NETWORK_SETTINGS(R.string.open_network_settings),
        TRY_AGAIN(R.string.try_again),
        USE_SMS(R.string.use_sms),
        SHARE_REPORT(R.string.share_report),
    }
}

/** `null` before the end, unless the operation is slow. */
val UiState.card: OutcomeCard?
    get() =
        when (this) {
            is UiState.Ready -> null
            is UiState.Running -> if (steps.isSlow) SLOW else null
            is UiState.Completed -> if (verified) VERIFIED else NOT_VERIFIED
            is UiState.Retrieved -> RETRIEVED.copy(number = number)
            is UiState.Cancelled -> CANCELLED
            is UiState.Failed -> problem.fallback.card.copy(cause = problem.cause)
        }

/** The operation continues; an app may offer another channel at the same time. */
private val SLOW =
    OutcomeCard(
        OutcomeCard.Tone.NEUTRAL,
        R.drawable.ic_slow,
        R.string.slow,
        R.string.slow_what,
        action = OutcomeCard.Action.USE_SMS,
    )

private val VERIFIED =
    OutcomeCard(OutcomeCard.Tone.SUCCESS, R.drawable.ic_verified, R.string.verified, R.string.verified_what)

private val RETRIEVED =
    OutcomeCard(OutcomeCard.Tone.SUCCESS, R.drawable.ic_verified, R.string.retrieved, R.string.retrieved_what)

private val NOT_VERIFIED =
    OutcomeCard(
        OutcomeCard.Tone.CAUTION,
        R.drawable.ic_not_verified,
        R.string.not_verified,
        R.string.not_verified_what,
        action = OutcomeCard.Action.USE_SMS,
    )

private val CANCELLED =
    OutcomeCard(OutcomeCard.Tone.NEUTRAL, R.drawable.ic_not_verified, R.string.cancelled, R.string.cancelled_what)

/** The app's action for each fallback: the core of its error handling. */
private val Fallback.card: OutcomeCard
    get() =
        when (this) {
            Fallback.ASK_TO_ENABLE_MOBILE_DATA ->
                OutcomeCard(
                    OutcomeCard.Tone.CAUTION,
                    R.drawable.ic_problem,
                    R.string.mobile_data_needed,
                    R.string.mobile_data_needed_what,
                    action = OutcomeCard.Action.OPEN_NETWORK_SETTINGS,
                    otherAction = OutcomeCard.Action.TRY_AGAIN,
                )
            Fallback.RETRY_LATER ->
                OutcomeCard(
                    OutcomeCard.Tone.CAUTION,
                    R.drawable.ic_problem,
                    R.string.retry_later,
                    R.string.retry_later_what,
                    action = OutcomeCard.Action.TRY_AGAIN,
                    otherAction = OutcomeCard.Action.USE_SMS,
                )
            Fallback.USE_ANOTHER_CHANNEL ->
                OutcomeCard(
                    OutcomeCard.Tone.CAUTION,
                    R.drawable.ic_problem,
                    R.string.another_channel,
                    R.string.another_channel_what,
                    action = OutcomeCard.Action.USE_SMS,
                )
            Fallback.FIX_INTEGRATION ->
                OutcomeCard(
                    OutcomeCard.Tone.FAILURE,
                    R.drawable.ic_problem,
                    R.string.fix_integration,
                    R.string.fix_integration_what,
                    action = OutcomeCard.Action.SHARE_REPORT,
                )
        }
