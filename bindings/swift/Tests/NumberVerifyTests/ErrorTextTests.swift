import NumberVerifyCore
import Testing

@testable import NumberVerify

/// Error texts come from the core, in all languages, except for the Swift spelling of settings and
/// the text for Apple's simulator.
struct ErrorTextTests {
  private static let causes: [NumberVerifyCore.CellularCause] = [
    .noInterface, .interfaceDown, .vpn, .blockedInBackground, .dataOff, .airplane, .noSim, .notDataSim, .permission,
    .tooManyRequests, .systemFault, .timeout, .unsupported,
  ]
  private static let backendCauses: [NumberVerifyCore.BackendCause] = [.unreachable, .tls, .timeout, .status, .malformedAnswer, .appFailed]
  private static let authorizationCauses: [NumberVerifyCore.AuthorizationCause] = [
    .dns, .connect, .tls, .timeout, .closed, .httpStatus, .tooManyRedirects, .redirectLoop, .forbiddenRedirect, .badLocation,
    .unexpectedPage, .malformedResponse, .tooLarge,
  ]

  private static let errors: [CoreError] =
    [
      .InvalidPhoneNumber, .InvalidConfig(setting: .allowUnbound), .InvalidConfig(setting: .redirectUri),
      .DeniedByOperator(error: "access_denied", description: nil, hop: 2, host: "op.test"),
      .DeniedByOperator(error: nil, description: nil, hop: 2, host: "op.test"), .StateMismatch(hop: 2, host: "op.test"),
      .DeadlineExceeded(step: .authorize), .Cancelled, .Internal,
    ] + causes.map { .CellularUnavailable(reason: $0) }
    + backendCauses.flatMap { reason in
      [nil, 60].map { .Backend(step: .start, reason: reason, status: 503, retryAfterS: $0, advice: .retryLater) }
    }
    + authorizationCauses.flatMap { reason in
      [nil, "handshake_failure"].map {
        .Authorization(hop: 2, host: "op.test", reason: reason, status: 500, alert: $0, advice: .retryLater)
      }
    }

  @Test(arguments: errors)
  func everyTextEqualsTheCoreText(core: CoreError) {
    let error = VerifyError(core, trace: nil)
    let setting: String? = if case .InvalidConfig(let setting) = core { setting.spelling } else { nil }
    let message = core.message(setting: setting)
    #expect(error.errorDescription == "\(message).")
    #expect(error.description == "\(message): \(core.advice()).")
  }

  @Test func settingsAreSpelledAsInSwift() {
    #expect(VerifyError(CoreError.InvalidConfig(setting: .allowUnbound), trace: nil).kind == .invalidConfig(setting: "anyNetwork"))
    #expect(VerifyError(CoreError.InvalidConfig(setting: .redirectUri), trace: nil).kind == .invalidConfig(setting: "redirectURI"))
  }
}
