// The texts of VerifyError come from the core, except for the Swift spelling of settings and
// Apple's simulator.

internal import NumberVerifyCore

/// The error message and the recommended action.
struct ErrorText: Sendable, Equatable {
  let message: String
  let advice: String
}

extension ErrorText {
  init(_ core: CoreError) {
    if case .CellularUnavailable(let reason) = core, CellularCause(reason) == .simulator {
      message = "Apple's simulator has no cellular network"
      advice = "run the app on a device, or set development.anyNetwork"
    } else if case .InvalidConfig(let setting) = core {
      message = core.message(setting: setting.spelling)
      advice = core.advice()
    } else {
      message = core.message(setting: nil)
      advice = core.advice()
    }
  }
}

extension NumberVerifyCore.Setting {
  /// The name of the property in ``NumberVerifier/Configuration`` or of the initializer's
  /// parameter.
  var spelling: String {
    switch self {
    case .backendUrl, .backend: "backend"
    case .startPath: "startPath"
    case .completePath: "completePath"
    case .abortPath: "abortPath"
    case .headers: "headers"
    case .startFields: "startFields"
    case .correlator: "correlator"
    case .operatorHeaders: "operatorHeaders"
    case .hints: "hints"
    case .fieldNames: "fieldNames"
    case .redirectUri: "redirectURI"
    case .authOrigin: "authOrigin"
    case .overallMs: "overallMs"
    case .acquireMs: "acquireMs"
    case .connectMs: "connectMs"
    case .answerMs: "answerMs"
    case .backendMs: "backendMs"
    case .slowAfterMs: "slowAfterMs"
    case .redirectLimit: "redirectLimit"
    case .userAgent: "userAgent"
    case .allowUnbound: "anyNetwork"
    case .rootCertificates: "rootCertificates"
    case .resolve: "resolve"
    case .dnsServers: "dnsServers"
    case .serverTrust: "serverTrust"
    }
  }
}
