package dev.numberverify

import kotlinx.coroutines.flow.Flow

/**
 * The functions of a [NumberVerifier], as an interface for app code to depend on. For unit tests,
 * `FakeNumberVerifier` in the artifact `number-verify-testing` implements it.
 *
 * Later versions may add functions: use that fake in tests instead of implementing this interface.
 */
public interface NumberVerifying {
    /**
     * Verifies that the SIM in this phone owns this number. Takes some seconds, at most
     * `deadlines.overallMs`.
     *
     * Main-safe. Cancelling the coroutine cancels the verification immediately and releases the
     * cellular network.
     *
     * @param phoneNumber in E.164 format, such as `+14155550100`: a plus sign and 5 to 15 digits,
     *   the first not 0. Spaces, hyphens, dots and parentheses are allowed.
     * @param options options for this verification, in addition to the settings.
     * @return the result. A number that is not verified is a result, not an error.
     * @throws VerifyException if there is no result; its [fallback][VerifyException.fallback] is
     *   the recommended action.
     */
    public suspend fun verify(
        phoneNumber: String,
        options: VerificationOptions.() -> Unit = {},
    ): Verification

    /**
     * Verifies that the SIM in this phone owns this number, and reports progress.
     *
     * The returned [Flow] is cold: each collector runs one verification. Its last element is
     * [Progress.Done]. Events are buffered: a slow collector loses none and does not delay the
     * verification. If there is no result, the [Flow] fails with a [VerifyException]. Cancelling
     * the collector cancels the verification.
     *
     * @param phoneNumber as for [verify].
     * @param options as for [verify]; called for each collector.
     */
    public fun verifying(
        phoneNumber: String,
        options: VerificationOptions.() -> Unit = {},
    ): Flow<Progress>

    /**
     * Retrieves the phone number of the SIM in this phone from its operator, so that the user need
     * not type it. Takes as long as [verify].
     *
     * Obtain the user's consent first: the number is personal data, and the app's backend receives
     * it. The backend must use the number that it received from the operator, never one that a
     * phone sends. The result is as strong a proof as a verification, but the user has not typed
     * the number: let the user confirm it, for example because the phone may have two SIMs.
     *
     * If the backend does not support retrieval, it returns 501: this throws a
     * [VerifyException.Backend] of [Step.START] with that status and [Fallback.FIX_INTEGRATION].
     * Main-safe. Cancelling the coroutine cancels the retrieval immediately and releases the
     * cellular network.
     *
     * @param options options for this retrieval, in addition to the settings.
     * @return the number.
     * @throws VerifyException if there is no number, as [verify] does, except for
     *   [VerifyException.InvalidPhoneNumber].
     */
    public suspend fun retrieve(options: VerificationOptions.() -> Unit = {}): RetrievedNumber

    /**
     * Retrieves the phone number of the SIM in this phone, as [retrieve] does, and reports
     * progress.
     *
     * The returned [Flow] behaves as that of [verifying]: each collector runs one retrieval. Its
     * last element is [Progress.Retrieved].
     *
     * @param options as for [retrieve]; called for each collector.
     */
    public fun retrieving(options: VerificationOptions.() -> Unit = {}): Flow<Progress>

    /**
     * Returns whether a verification could run now. Reads the phone's local state and sends
     * nothing. Main-safe.
     */
    public suspend fun check(): CellularStatus

    /**
     * Prepares for a verification that will follow within 30 seconds: call it when the phone-number
     * screen appears. Optional; reduces the latency of that verification.
     *
     * Acquires the cellular network and opens connections: to the backend, and over the cellular
     * network to the first hosts of this verifier's last verification within an hour on the same
     * operator's network, or to [authOrigin][NumberVerifierConfig.authOrigin]; to no other hosts
     * ([openAhead][NumberVerifierConfig.openAhead] turns all of these off). Returns as soon as the
     * network is available, while the connections are still being opened: a verification uses those
     * that are open, and waits for those that are being opened over the cellular network.
     *
     * Idempotent: another call holds the same network for 30 more seconds. If no verification
     * follows, the network is released and its connections are closed 30 seconds after the last
     * call; the connection to the backend closes within a minute. Main-safe. Cancelling the
     * coroutine stops waiting but keeps the network.
     *
     * Costs the battery power of an active radio for that time, and the TLS handshakes of these
     * connections. The built-in client sends one `HEAD` request for the base URL to the backend,
     * without the app's headers; any response is accepted. A custom [Backend] is not called.
     *
     * @throws VerifyException if the network is unavailable, as [verify] does.
     */
    public suspend fun prepare()
}
