// The sentences of VerifyError: what happened, and what to do. They quote settings, hosts, statuses and codes, never a secret.

internal import NumberVerifyCore

extension VerifyError.Kind {
  var whatHappened: String {
    switch self {
    case .invalidPhoneNumber: "The phone number is not in E.164 form"
    case .invalidConfig(let setting): "The setting \(setting) cannot be used"
    case .cellularUnavailable(let reason): reason.sentence
    case .backend(let step, let reason, let status, _): "The backend \(reason.predicate(status)) on \(step)"
    case .authorization(let hop, let host, let reason, let status, let alert):
      "The operator's host \(host) (hop \(hop)) \(reason.predicate(status, alert))"
    case .deniedByOperator(let error, _, let hop, let host):
      "The operator refused (\(error ?? "without a plain error code")) at \(host) (hop \(hop))"
    case .stateMismatch(let hop, let host): "The answer of \(host) (hop \(hop)) has the state of another verification"
    case .deadlineExceeded(let step): "The verification took too long, and was at \(step) when its time was over"
    case .cancelled: "The verification was cancelled"
    case .internal: "The library failed"
    }
  }
}

extension CoreError {
  func whatToDo(_ fallback: Fallback) -> String {
    switch self {
    case .InvalidPhoneNumber: "ask for a plus sign and 5 to 15 digits that do not begin with 0, such as +14155550100"
    case .InvalidConfig(let setting): SettingName.advice(setting)
    case .CellularUnavailable(let reason) where CellularCause(reason) == .simulator:
      "run the app on a device, or set development.anyNetwork"
    case .Backend(_, _, _, .some(let seconds), _) where fallback == .retryLater: "try again in \(seconds) s"
    case .Backend(_, .appFailed, _, _, _): "make the app's Backend throw no error but BackendError"
    case .Backend where fallback == .fixIntegration: "correct the backend, or the settings that tell how it is called"
    case .Cancelled: "verify again"
    case .Internal: "verify the number in another way, such as a code by SMS, and report it"
    default: fallback.advice
    }
  }
}

extension Fallback {
  fileprivate var advice: String {
    switch self {
    case .useAnotherChannel: "verify the number in another way, such as a code by SMS"
    case .retryLater: "try again later"
    case .askToEnableMobileData: "ask the user to allow mobile data for this app, then try again"
    case .fixIntegration: "correct the app, its settings or its backend"
    }
  }
}

extension CellularCause {
  fileprivate var sentence: String {
    switch self {
    case .noInterface: "The phone has no cellular network"
    case .interfaceDown: "The cellular network went down"
    case .vpn: "A VPN takes the app's traffic and does not let it around"
    case .blockedInBackground: "The system blocks the app's mobile data in the background"
    case .dataOff: "Mobile data is off"
    case .airplane: "Airplane mode is on"
    case .noSIM: "There is no usable SIM"
    case .permission: "The app lacks a permission for the cellular network"
    case .tooManyRequests: "The app has too many pending network requests"
    case .timeout: "The cellular network did not come up in time"
    case .unsupported: "This device cannot send over a chosen network"
    case .simulator: "Apple's simulator has no cellular network"
    }
  }
}

extension BackendCause {
  fileprivate func predicate(_ status: Int?) -> String {
    switch self {
    case .unreachable: "could not be reached"
    case .tls: "has no certificate that the app trusts, or TLS with it failed,"
    case .timeout: "did not answer in time"
    case .status: "answered with HTTP status \(status.map(String.init) ?? "unknown")"
    case .malformedAnswer: "gave an answer that does not follow the contract\(status.map { " (HTTP status \($0))" } ?? "")"
    case .appFailed: "client of the app threw an unexpected error"
    }
  }
}

extension AuthorizationCause {
  fileprivate func predicate(_ status: Int?, _ alert: String?) -> String {
    switch self {
    case .dns: "could not be resolved over the cellular network"
    case .connect: "could not be reached over the cellular network"
    case .tls: "failed in TLS" + (alert.map { " with the alert \($0)" } ?? ", or its certificate is not trusted")
    case .timeout: "did not answer in time"
    case .closed: "closed the connection before its answer was complete"
    case .httpStatus: "answered with HTTP status \(status.map(String.init) ?? "unknown")"
    case .tooManyRedirects: "redirected more often than allowed"
    case .redirectLoop: "redirected to a request that was sent before"
    case .forbiddenRedirect: "is, or redirected to, a place that a verification must not visit"
    case .badLocation: "redirected without a usable Location"
    case .unexpectedPage: "answered with a page instead of a code"
    case .malformedResponse: "gave an answer that breaks the protocol"
    case .tooLarge: "gave an answer of more than 64 KiB"
    }
  }
}

/// The settings' names: the core's, in snake case, and ``NumberVerifier/Configuration``'s.
enum SettingName {
  static let allowUnbound = "allow_unbound"

  static func swift(_ core: String) -> String {
    switch core {
    case "backend_url": "backend"
    case allowUnbound: "anyNetwork"
    case "redirect_uri": "redirectURI"
    default: core.split(separator: "_").enumerated().map { $0.offset == 0 ? String($0.element) : $0.element.capitalized }.joined()
    }
  }

  static func advice(_ core: String) -> String {
    switch core {
    case "backend_url": "it must be an https URL without user name, query and fragment (http only to loopback)"
    case allowUnbound: "a network of the system's choice is for development, in a debug build, only"
    case "root_certificates": "they must be certificates in PEM form, and the system must have trusted ones"
    case "dns_servers": "each must be an address, with or without a port, and there must be one for the cellular network"
    case "resolve": "each must be HOST:PORT:ADDRESS"
    case "redirect_limit": "it must be 1 to 15"
    case "headers", "operator_headers":
      "names must be HTTP tokens, values printable, and the headers that the client sets itself are refused"
    case "field_names": "the names of one request or answer must differ, and none may be empty"
    case "start_path", "complete_path": "it must stay under the backend's base URL"
    case "redirect_uri": "it must be an absolute URI with an ASCII host"
    case "user_agent": "it must be printable"
    default: "it must be 1 to 86400000 milliseconds"
    }
  }
}
