// The sentences of VerifyException: what happened, and what to do. They quote settings, hosts, statuses and codes, never a secret.

package dev.numberverify

internal fun CoreException.whatHappened(): String =
    when (this) {
        is CoreException.InvalidPhoneNumber -> "The phone number is not in E.164 form"
        is CoreException.InvalidConfig -> "The setting ${settingName(setting)} cannot be used"
        is CoreException.CellularUnavailable -> reason.sentence()
        is CoreException.Backend -> "The backend ${reason.predicate(status)} on ${step.word()}"
        is CoreException.Authorization -> "The operator's host $host (hop $hop) ${reason.predicate(status, alert)}"
        is CoreException.DeniedByOperator -> "The operator refused (${error ?: "without a plain error code"}) at $host (hop $hop)"
        is CoreException.StateMismatch -> "The answer of $host (hop $hop) has the state of another verification"
        is CoreException.DeadlineExceeded -> "The verification took too long, and was at ${step.word()} when its time was over"
        is CoreException.Cancelled -> "The verification was cancelled, since its NumberVerifier was closed"
        is CoreException.Internal -> "The library failed with an internal error"
    }

internal fun CoreException.whatToDo(fallback: Fallback): String =
    when (this) {
        is CoreException.InvalidPhoneNumber -> "ask for a plus sign, the country code and the number, 5 to 15 digits in all"
        is CoreException.InvalidConfig -> settingAdvice(setting)
        is CoreException.CellularUnavailable if reason == CellularCause.PERMISSION ->
            "declare INTERNET, ACCESS_NETWORK_STATE and CHANGE_NETWORK_STATE in the app's manifest"
        is CoreException.Backend if retryAfterS != null && fallback == Fallback.RETRY_LATER -> "try again in $retryAfterS s"
        is CoreException.Backend if reason == BackendCause.APP_FAILED -> "correct the app's implementation of Backend"
        is CoreException.Backend if fallback == Fallback.FIX_INTEGRATION ->
            "correct the backend, or the settings that tell how it is called"
        is CoreException.Cancelled -> "verify again with a NumberVerifier that stays open"
        else -> fallback.advice()
    }

private fun Fallback.advice() =
    when (this) {
        Fallback.USE_ANOTHER_CHANNEL -> "verify the number in another way, such as a code by SMS"
        Fallback.RETRY_LATER -> "try again later"
        Fallback.ASK_TO_ENABLE_MOBILE_DATA -> "ask the user to allow mobile data for this app, then try again"
        Fallback.FIX_INTEGRATION -> "correct the app, its settings or its backend"
    }

private fun CellularCause.sentence() =
    when (this) {
        CellularCause.NO_INTERFACE -> "The phone has no cellular network"
        CellularCause.INTERFACE_DOWN -> "The cellular network went down"
        CellularCause.VPN -> "A VPN takes the app's traffic and does not let it around"
        CellularCause.BLOCKED_IN_BACKGROUND -> "The system blocks the app's mobile data in the background"
        CellularCause.DATA_OFF -> "Mobile data is off"
        CellularCause.AIRPLANE -> "Airplane mode is on"
        CellularCause.NO_SIM -> "There is no usable SIM"
        CellularCause.PERMISSION -> "The app lacks a permission for the cellular network"
        CellularCause.TOO_MANY_REQUESTS -> "The app has too many pending network requests"
        CellularCause.TIMEOUT -> "The cellular network did not come up in time"
        CellularCause.UNSUPPORTED -> "This device cannot send over a chosen network"
    }

private fun BackendCause.predicate(status: UShort?) =
    when (this) {
        BackendCause.UNREACHABLE -> "could not be reached"
        BackendCause.TLS -> "has no certificate that the app trusts, or TLS with it failed,"
        BackendCause.TIMEOUT -> "did not answer in time"
        BackendCause.STATUS -> "answered with HTTP status $status"
        BackendCause.MALFORMED_ANSWER -> "gave an answer that does not follow the contract${status?.let { " (HTTP status $it)" }.orEmpty()}"
        BackendCause.APP_FAILED -> "implementation in the app failed"
    }

private fun AuthorizationCause.predicate(
    status: UShort?,
    alert: String?,
) = when (this) {
    AuthorizationCause.DNS -> "could not be resolved over the cellular network"
    AuthorizationCause.CONNECT -> "could not be reached over the cellular network"
    AuthorizationCause.TLS -> "failed in TLS" + (alert?.let { " with the alert $it" } ?: ", or its certificate is not trusted")
    AuthorizationCause.TIMEOUT -> "did not answer in time"
    AuthorizationCause.CLOSED -> "closed the connection before its answer was complete"
    AuthorizationCause.HTTP_STATUS -> "answered with HTTP status $status"
    AuthorizationCause.TOO_MANY_REDIRECTS -> "redirected more often than allowed"
    AuthorizationCause.REDIRECT_LOOP -> "redirected to a request that was sent before"
    AuthorizationCause.FORBIDDEN_REDIRECT -> "is, or redirected to, a place that a verification must not visit"
    AuthorizationCause.BAD_LOCATION -> "redirected without a usable Location"
    AuthorizationCause.UNEXPECTED_PAGE -> "answered with a page instead of a code"
    AuthorizationCause.MALFORMED_RESPONSE -> "gave an answer that breaks the protocol"
    AuthorizationCause.TOO_LARGE -> "gave an answer of more than 64 KiB"
}

private fun Step.word() = name.lowercase()

/** The core's names are in snake case, and `allow_unbound` is [NumberVerifierConfig.Development.anyNetwork] here. */
internal fun settingName(core: String): String =
    if (core == ALLOW_UNBOUND) "anyNetwork" else core.replace(Regex("_([a-z])")) { it.groupValues[1].uppercase() }

internal const val ALLOW_UNBOUND = "allow_unbound"

private fun settingAdvice(core: String) =
    when (core) {
        "backend_url" -> "it must be an https URL without user name, query and fragment (http only to loopback)"
        ALLOW_UNBOUND -> "a network of the system's choice is for development, in a debuggable app, only"
        "server_trust" -> "Android needs one, such as AndroidServerTrust()"
        "root_certificates" -> "they must be certificates in PEM form, and the system must have trusted ones"
        "dns_servers" -> "each must be an address, with or without a port, and there must be one for the cellular network"
        "resolve" -> "each must be HOST:PORT:ADDRESS"
        "redirect_limit" -> "it must be 1 to 15"
        "headers", "operator_headers" ->
            "names must be HTTP tokens, values printable, and the headers that the client sets itself are refused"
        "field_names" -> "the names of one request or answer must differ, and none may be empty"
        "start_path", "complete_path" -> "it must stay under the backend's base URL"
        "redirect_uri" -> "it must be an absolute URI with an ASCII host"
        "user_agent" -> "it must be printable"
        else -> "it must be 1 to 86400000 milliseconds"
    }
