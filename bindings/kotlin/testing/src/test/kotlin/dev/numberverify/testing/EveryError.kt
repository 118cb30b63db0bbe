package dev.numberverify.testing

import dev.numberverify.AuthorizationCause
import dev.numberverify.BackendCause
import dev.numberverify.CellularCause
import dev.numberverify.Fallback
import dev.numberverify.Step
import dev.numberverify.Trace
import dev.numberverify.VerifyException

/** One error of each class. */
fun everyError(trace: Trace? = null): List<VerifyException> {
    val fallback = Fallback.RETRY_LATER
    return listOf(
        VerifyException.InvalidPhoneNumber(fallback, trace = trace),
        VerifyException.InvalidConfig("hints", fallback, trace = trace),
        VerifyException.CellularUnavailable(CellularCause.TIMEOUT, fallback, trace = trace),
        VerifyException.Backend(Step.START, BackendCause.STATUS, fallback, status = 503, retryAfterSeconds = 60, trace = trace),
        VerifyException.Authorization("a.test", AuthorizationCause.TLS, fallback, alert = "handshake_failure", trace = trace),
        VerifyException.DeniedByOperator("access_denied", "a.test", fallback, trace = trace),
        VerifyException.StateMismatch("a.test", fallback, trace = trace),
        VerifyException.DeadlineExceeded(Step.AUTHORIZE, fallback, trace = trace),
        VerifyException.Cancelled(fallback, trace = trace),
        VerifyException.Internal(fallback, trace = trace),
    )
}
