package dev.numberverify

import kotlinx.coroutines.flow.Flow

/**
 * What a [NumberVerifier] does, for app code to depend on. In an app's own tests, `FakeNumberVerifier` of the artifact
 * `number-verify-testing` implements it.
 *
 * A later version may have further functions: tests should use that fake and not implement this.
 */
public interface NumberVerifying {
    /**
     * Verifies that the SIM in this phone owns this number. Takes some seconds, at most `deadlines.overallMs`.
     *
     * Cancelling the coroutine ends the verification at once and releases the cellular network.
     *
     * @param phoneNumber in E.164 form, such as `+14155550100`: a plus sign and 5 to 15 digits, the first not 0. Spaces, hyphens,
     *   dots and parentheses are allowed.
     * @param options what this verification adds to the settings.
     * @return the result. "Not verified" is a result, not an error.
     * @throws VerifyException if there is no result; its [fallback][VerifyException.fallback] states what to do.
     */
    public suspend fun verify(
        phoneNumber: String,
        options: VerificationOptions.() -> Unit = {},
    ): Verification

    /**
     * Verifies that the SIM in this phone owns this number, and reports progress.
     *
     * The returned flow is cold: each collector runs one verification. Its last element is [Progress.Done]. Events are buffered: a slow
     * collector loses none and does not delay the verification. If there is no result, the flow fails with a [VerifyException].
     * Cancelling the collector ends the verification.
     *
     * @param phoneNumber as for [verify].
     * @param options as for [verify]; called for each collector.
     */
    public fun verifying(
        phoneNumber: String,
        options: VerificationOptions.() -> Unit = {},
    ): Flow<Progress>

    /**
     * Retrieves the phone number of the SIM in this phone from its operator, so that the user need not type it. Takes as long as [verify].
     *
     * Obtain the user's consent first: the number is personal data, and the app's backend receives it. The backend must use the number that
     * the operator gave to the backend itself, never one that a phone sends. The result proves as much as a verification; but the user has
     * not typed the number, so let the user confirm that it is the right one, such as on a phone with two SIMs.
     *
     * A backend that does not offer it responds 501: this throws a [VerifyException.Backend] of [Step.START] with that status and
     * [Fallback.FIX_INTEGRATION]. Cancelling the coroutine ends the retrieval at once and releases the cellular network.
     *
     * @param options what this retrieval adds to the settings.
     * @return the number.
     * @throws VerifyException if there is no number, as [verify] does, except for [VerifyException.InvalidPhoneNumber].
     */
    public suspend fun retrieve(options: VerificationOptions.() -> Unit = {}): RetrievedNumber

    /**
     * Retrieves the phone number of the SIM in this phone, as [retrieve] does, and reports progress.
     *
     * The returned flow is as that of [verifying]: each collector runs one retrieval. Its last element is [Progress.Retrieved].
     *
     * @param options as for [retrieve]; called for each collector.
     */
    public fun retrieving(options: VerificationOptions.() -> Unit = {}): Flow<Progress>

    /** Whether a verification could run now. Sends nothing: it reads the phone's own state. */
    public suspend fun check(): CellularStatus

    /**
     * Prepares for a verification that will follow within 30 seconds: call it when the screen for the phone number appears. Optional;
     * reduces the latency of that verification.
     *
     * Acquires the cellular network, and opens connections: to the backend, and over the cellular network to the first hosts of this
     * verifier's last verification within an hour on the same operator's network, or to [authOrigin][NumberVerifierConfig.authOrigin]; to
     * no other hosts ([openAhead][NumberVerifierConfig.openAhead] turns all of these off). Returns as soon as the network is there, while
     * the connections go on opening: a verification uses those that are open, and waits for those that are opening over the cellular
     * network.
     *
     * Idempotent: another call holds the same network for 30 seconds more. Without a verification, 30 seconds after the last call the
     * network is released and its connections are closed; that to the backend closes within a minute. Cancelling the coroutine stops
     * waiting only.
     *
     * It costs the battery what holding the radio for that time costs, and the TLS handshakes of these connections. The built-in client
     * sends the backend one `HEAD` request for its base URL, without the app's headers; any response will do. A custom [Backend] is not
     * called.
     *
     * @throws VerifyException if the network cannot be used, as a verification would.
     */
    public suspend fun prepare()
}
