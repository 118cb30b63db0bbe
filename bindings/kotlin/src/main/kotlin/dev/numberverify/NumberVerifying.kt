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

    /** Whether a verification could run now. Sends nothing: it reads the phone's own state. */
    public suspend fun check(): CellularStatus

    /**
     * Acquires the cellular network and holds it for 30 seconds, for a verification that will follow: call it when the screen for the
     * phone number appears. Optional; reduces the latency of the next verification.
     *
     * @throws VerifyException if the network cannot be used, as a verification would.
     */
    public suspend fun prepare()
}
