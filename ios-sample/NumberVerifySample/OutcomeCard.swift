import NumberVerify

/// The card that says how a verification ended. Pure.
struct OutcomeCard: Equatable, Sendable {
  enum Tone: String, CaseIterable, Sendable {
    case success = "Success"
    case caution = "Caution"
    case failure = "Failure"
    case neutral = "Surface"
  }

  enum Action: CaseIterable, Sendable {
    case openSettings, tryAgain, useSMS, shareReport
  }

  let tone: Tone
  /// The name of an SF Symbol.
  let symbol: String
  let title: String
  let text: String
  /// For developers, below the text.
  var cause: String?
  /// What `shareReport` shares.
  var report = ""
  /// What a person can do, the best first.
  var actions: [Action] = []
}

extension ScreenState {
  /// `nil` before the end.
  var card: OutcomeCard? {
    switch self {
    case .ready, .running: nil
    case .verdict(isVerified: true, _, _): .verified
    case .verdict(isVerified: false, _, _): .notVerified
    case .cancelled: .cancelled
    case .failed(let problem, _): OutcomeCard(problem)
    }
  }
}

extension OutcomeCard {
  fileprivate static let verified = OutcomeCard(
    tone: .success, symbol: "checkmark.circle.fill", title: Texts.verified, text: Texts.verifiedWhat)

  fileprivate static let notVerified = OutcomeCard(
    tone: .caution, symbol: "xmark.circle.fill", title: Texts.notVerified, text: Texts.notVerifiedWhat, actions: [.useSMS])

  fileprivate static let cancelled = OutcomeCard(
    tone: .neutral, symbol: "xmark.circle.fill", title: Texts.cancelled, text: Texts.cancelledWhat)

  /// What an app does on each fallback; the heart of handling errors.
  fileprivate init(_ problem: Problem) {
    (tone, title, text, actions) =
      switch problem.fallback {
      case .askToEnableMobileData: (.caution, Texts.mobileDataNeeded, Texts.mobileDataNeededWhat, [.openSettings, .tryAgain])
      case .retryLater: (.caution, Texts.retryLater, Texts.retryLaterWhat, [.tryAgain, .useSMS])
      case .useAnotherChannel: (.caution, Texts.anotherChannel, Texts.anotherChannelWhat, [.useSMS])
      case .fixIntegration: (.failure, Texts.fixIntegration, Texts.fixIntegrationWhat, [.shareReport])
      }
    symbol = "exclamationmark.triangle.fill"
    cause = problem.cause
    report = problem.report
  }
}
