package dev.numberverify

/**
 * Thrown when a verification, retrieval or preparation could not be completed, or a setting or hint
 * is invalid. A number that is not verified is not an error, but a [Verification].
 *
 * The message is an English sentence for developers. It contains no phone number, code, cookie or
 * text of another party. The same applies to all properties except [DeniedByOperator.description].
 *
 * Later versions may add kinds: give a `when` an `else`, or branch on [fallback].
 *
 * An app's own tests construct the subclasses and pass the fallback: the fallback and the message
 * of a real error come from the native library, which the constructors do not load.
 */
public sealed class VerifyException(
    message: String,
    /** The recommended action for the app. */
    public val fallback: Fallback,
    trace: Trace?,
) : Exception(message) {
    /**
     * What the verification did until it failed; `null` if no verification was running, or after a
     * panic.
     */
    @Transient
    public val trace: Trace? = trace

    /**
     * The phone number is not in E.164 format: a plus sign, then 5 to 15 digits of which the first
     * is not 0. Spaces, hyphens, dots and parentheses are allowed between them. Nothing was sent.
     * Not thrown by a retrieval.
     */
    public class InvalidPhoneNumber(
        fallback: Fallback,
        message: String = "InvalidPhoneNumber",
        trace: Trace? = null,
    ) : VerifyException(message, fallback, trace)

    /** A setting is invalid. Nothing was sent. */
    public class InvalidConfig(
        /** The name of the setting in [NumberVerifierConfig], or `backendUrl`. */
        public val setting: String,
        fallback: Fallback,
        message: String = "InvalidConfig",
        trace: Trace? = null,
    ) : VerifyException(message, fallback, trace)

    /** The cellular network could not be used. */
    public class CellularUnavailable(
        /** The cause. */
        public val reason: CellularCause,
        fallback: Fallback,
        message: String = "CellularUnavailable",
        trace: Trace? = null,
    ) : VerifyException(message, fallback, trace)

    /** A call to the app's own backend failed. */
    public class Backend(
        /** The call: [Step.START] or [Step.COMPLETE]. */
        public val step: Step,
        /** What failed. */
        public val reason: BackendCause,
        fallback: Fallback,
        /** The HTTP status, if there was a response. */
        public val status: Int? = null,
        /** Seconds to wait before another attempt, if the backend sent `Retry-After`. */
        public val retryAfterSeconds: Long? = null,
        message: String = "Backend",
        trace: Trace? = null,
    ) : VerifyException(message, fallback, trace)

    /** A request to the operator's side failed, on the cellular network. */
    public class Authorization(
        /** The host of the request. */
        public val host: String,
        /** What failed. */
        public val reason: AuthorizationCause,
        fallback: Fallback,
        /** The position of the failed request, from 1. */
        public val hop: Int = 1,
        /** The HTTP status, if it is the cause. */
        public val status: Int? = null,
        /**
         * The TLS alert that the server sent (RFC 8446, section 6), such as `handshake_failure`, if
         * it is the cause.
         */
        public val alert: String? = null,
        message: String = "Authorization",
        trace: Trace? = null,
    ) : VerifyException(message, fallback, trace)

    /** The operator denied the request (RFC 6749, section 4.1.2.1, or a CAMARA error). */
    public class DeniedByOperator(
        /**
         * The operator's error code, such as `access_denied`; `null` if it was malformed or
         * contained a secret.
         */
        public val error: String?,
        /** The host of the request. */
        public val host: String,
        fallback: Fallback,
        @Transient private val description: String? = null,
        /** The position of the denied request, from 1. */
        public val hop: Int = 1,
        message: String = "DeniedByOperator",
        trace: Trace? = null,
    ) : VerifyException(message, fallback, trace) {
        /**
         * Returns the operator's description of the denial, at most 200 characters. `null` if it
         * is absent, or if it contains the phone number or another secret of the verification. For
         * diagnostics only: never included in [toString] or the message.
         */
        public fun description(): String? = description
    }

    /**
     * The `state` in the response does not match the request (RFC 6749, section 10.12): the
     * response belongs to another verification.
     */
    public class StateMismatch(
        /** The host of the request. */
        public val host: String,
        fallback: Fallback,
        /** The position of the request with that response, from 1. */
        public val hop: Int = 1,
        message: String = "StateMismatch",
        trace: Trace? = null,
    ) : VerifyException(message, fallback, trace)

    /** The overall deadline was exceeded. */
    public class DeadlineExceeded(
        /** The step that was running. */
        public val step: Step,
        fallback: Fallback,
        message: String = "DeadlineExceeded",
        trace: Trace? = null,
    ) : VerifyException(message, fallback, trace)

    /**
     * The verifier was closed during the verification. A cancelled coroutine throws its
     * `CancellationException` instead.
     */
    public class Cancelled(
        fallback: Fallback,
        message: String = "Cancelled",
        trace: Trace? = null,
    ) : VerifyException(message, fallback, trace)

    /**
     * The library failed: a fault in it (a panic in its Rust code), or the system denied it a
     * thread. Please report it.
     */
    public class Internal(
        fallback: Fallback,
        message: String = "Internal",
        trace: Trace? = null,
    ) : VerifyException(message, fallback, trace)
}

/** [InternalException] is a panic. Its text is dropped because it may contain a secret. */
internal inline fun <T> orVerifyException(call: () -> T): T =
    try {
        call()
    } catch (failure: CoreException) {
        throw failure.toVerifyException(null)
    } catch (_: InternalException) {
        throw CoreException.Internal().toVerifyException(null)
    }

internal fun CoreException.toVerifyException(trace: Trace?): VerifyException {
    val fallback = fallback()
    val message = text()
    return when (this) {
        is CoreException.InvalidPhoneNumber -> VerifyException.InvalidPhoneNumber(fallback, message, trace)
        is CoreException.InvalidConfig -> VerifyException.InvalidConfig(setting.spelling(), fallback, message, trace)
        is CoreException.CellularUnavailable -> VerifyException.CellularUnavailable(reason, fallback, message, trace)
        is CoreException.Backend ->
            VerifyException.Backend(step, reason, fallback, status?.toInt(), retryAfterS?.toLong(), message, trace)
        is CoreException.Authorization ->
            VerifyException.Authorization(host, reason, fallback, hop.toInt(), status?.toInt(), alert, message, trace)
        is CoreException.DeniedByOperator ->
            VerifyException.DeniedByOperator(error, host, fallback, description?.use { it.text() }, hop.toInt(), message, trace)
        is CoreException.StateMismatch -> VerifyException.StateMismatch(host, fallback, hop.toInt(), message, trace)
        is CoreException.DeadlineExceeded -> VerifyException.DeadlineExceeded(step, fallback, message, trace)
        is CoreException.Cancelled -> VerifyException.Cancelled(fallback, message, trace)
        is CoreException.Internal -> VerifyException.Internal(fallback, message, trace)
    }
}
