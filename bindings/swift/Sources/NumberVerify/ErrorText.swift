// The texts of VerifyError are the core's. Here is what only Swift and Apple's systems know: the spelling of settings, and the simulator.

internal import NumberVerifyCore

/// What happened, and what to do.
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
  /// The name in ``NumberVerifier/Configuration``, or of the initializer's parameter.
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
