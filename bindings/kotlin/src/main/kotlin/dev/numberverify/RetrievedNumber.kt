package dev.numberverify

/**
 * The phone number of the SIM in this phone, as its operator returned it. An app's own tests may
 * construct it.
 *
 * Personal data: show it to its user and do not log it. Not included in [toString].
 */
public class RetrievedNumber(
    private val phoneNumber: String,
    private val responseJson: String = "{}",
    /** What the retrieval did; safe to send to support. */
    public val trace: Trace = Trace(),
) {
    /**
     * Returns the phone number in E.164 format, such as `+14155550100`.
     *
     * For display only: the backend must use the number that it received from the operator, not one
     * that a phone sends.
     */
    public fun phoneNumber(): String = phoneNumber

    /** Returns the backend's raw JSON response, for custom fields. Contains the number. */
    public fun responseJson(): String = responseJson

    override fun toString(): String = "RetrievedNumber"
}

internal fun CoreRetrievedNumber.toRetrievedNumber() = use { RetrievedNumber(phoneNumber(), responseJson(), Trace(trace())) }
