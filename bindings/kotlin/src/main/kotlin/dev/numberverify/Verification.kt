package dev.numberverify

/** The result of a verification. An app's own tests construct it, too. */
public class Verification(
    /**
     * Whether the operator confirmed that this phone has the number. `false`: the SIM that was used has another number; on a phone with
     * two SIMs it may be the other one that has it.
     */
    public val verified: Boolean,
    private val responseJson: String = "{}",
    /** What the verification did; safe to send to support. */
    public val trace: Trace = Trace(),
) {
    /** The backend's whole answer, a JSON object, for members of its own. It is in no printed form of this class. */
    public fun responseJson(): String = responseJson

    override fun toString(): String = "Verification(verified=$verified)"
}

internal fun CoreVerification.toVerification() = use { Verification(verified(), responseJson(), Trace(trace())) }
