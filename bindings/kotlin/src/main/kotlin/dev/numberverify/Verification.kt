package dev.numberverify

/** The result of a verification. An app's own tests may construct it. */
public class Verification(
    /**
     * Whether the operator confirmed that the SIM in this phone owns the number. If `false`, the
     * SIM that was used has another number; on a phone with two SIMs, the other SIM may own it.
     */
    public val verified: Boolean,
    private val responseJson: String = "{}",
    /** What the verification did; safe to send to support. */
    public val trace: Trace = Trace(),
) {
    /** Returns the backend's raw JSON response, for custom fields. Never included in [toString]. */
    public fun responseJson(): String = responseJson

    override fun toString(): String = "Verification(verified=$verified)"
}

internal fun CoreVerification.toVerification() = use { Verification(verified(), responseJson(), Trace(trace())) }
