package dev.numberverify.sample

import android.content.Context
import dev.numberverify.CellularStatus
import dev.numberverify.NumberVerifier
import dev.numberverify.Progress
import dev.numberverify.VerifyException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch

/**
 * Runs verifications and retrievals for the screen and survives its rotation: the recreated
 * activity receives the same session and shows its current state. All functions are for the main
 * thread; none blocks it.
 */
class VerifySession(
    context: Context,
    development: Development?,
) {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Main.immediate)
    private val verifiers = Verifiers(context, development)
    private val states = MutableStateFlow<UiState>(UiState.Ready())
    private val cellularStates = MutableStateFlow<CellularStatus?>(null)
    private var preparing: Job? = null
    private var preparedFor: Settings? = null
    private var running: Job? = null

    val state: StateFlow<UiState> = states.asStateFlow()

    /** The result of [NumberVerifier.check]; `null` until it is available. */
    val cellular: StateFlow<CellularStatus?> = cellularStates.asStateFlow()

    /**
     * Called when the screen appears: publishes the cellular status, and acquires the network for a
     * verification that will follow.
     */
    fun prepare(settings: Settings) {
        if (states.value is UiState.Running) return
        preparing?.cancel()
        preparedFor = settings
        preparing =
            scope.launch {
                cellularStates.value = null
                try {
                    val verifier = verifiers.with(settings)
                    cellularStates.value = verifier.check()
                    verifier.prepare()
                } catch (failure: VerifyException.CellularUnavailable) {
                    cellularStates.value = CellularStatus.Unavailable(failure.reason)
                } catch (_: VerifyException) {
                    // The user may still be typing the backend's URL. The verification itself
                    // reports the error.
                }
            }
    }

    fun verify(
        settings: Settings,
        phoneNumber: String,
    ) = run(settings, Purpose.VERIFY) { it.verifying(phoneNumber) }

    /** The user has consented: see the text of the button. */
    fun retrieve(settings: Settings) = run(settings, Purpose.RETRIEVE) { it.retrieving() }

    private fun run(
        settings: Settings,
        purpose: Purpose,
        begin: (NumberVerifier) -> Flow<Progress>,
    ) {
        if (states.value is UiState.Running) return
        states.value = UiState.Running(purpose = purpose)
        // Other settings close the verifier, which must not be called any more.
        if (settings != preparedFor) preparing?.cancel()
        running =
            scope.launch {
                try {
                    begin(verifiers.with(settings)).collect { progress -> updateIfRunning { it.after(progress) } }
                } catch (_: VerifyException.InvalidPhoneNumber) {
                    updateIfRunning { UiState.Ready(numberIsInvalid = true) }
                } catch (failure: VerifyException) {
                    updateIfRunning { it.failed(Problem(failure)) }
                }
            }
    }

    fun cancel() {
        running?.cancel()
        updateIfRunning { it.cancelled() }
    }

    /** Cancels and releases everything, so that another screen measures from the beginning. */
    fun release() {
        cancel()
        preparing?.cancel()
        verifiers.release()
    }

    /** Called when the screen is closed. */
    fun close() {
        scope.cancel()
        verifiers.close()
    }

    /** Ignores events that arrive after Cancel. */
    private fun updateIfRunning(next: (UiState.Running) -> UiState) =
        states.update { state -> if (state is UiState.Running) next(state) else state }
}
