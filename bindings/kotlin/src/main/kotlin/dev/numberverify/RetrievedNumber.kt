package dev.numberverify

/**
 * The phone number of the SIM in this phone, as its operator gave it. An app's own tests construct it, too.
 *
 * Personal data: show it to its user, and do not log it. It is not included in [toString].
 */
public class RetrievedNumber(
    private val phoneNumber: String,
    private val responseJson: String = "{}",
    /** What the retrieval did; safe to send to support. */
    public val trace: Trace = Trace(),
) {
    /**
     * The phone number in E.164 form, such as `+14155550100`.
     *
     * For this screen only: the backend must use the number that the operator gave to the backend itself, and not one that a phone sends.
     */
    public fun phoneNumber(): String = phoneNumber

    /** The backend's whole response, a JSON object, for members of its own. It has the number. */
    public fun responseJson(): String = responseJson

    override fun toString(): String = "RetrievedNumber"
}

internal fun CoreRetrievedNumber.toRetrievedNumber() = use { RetrievedNumber(phoneNumber(), responseJson(), Trace(trace())) }
