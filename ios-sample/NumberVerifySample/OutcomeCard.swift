import NumberVerify

/// The card for the outcome of a verification or retrieval, or for a slow one. A pure value.
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
  /// Between the title and the text.
  var number: RetrievedNumber?
  /// For developers, below the text.
  var cause: String?
  /// What `shareReport` shares.
  var report = ""
  /// The available actions, in order of preference.
  var actions: [Action] = []

  /// What VoiceOver reads when the card appears.
  var announcement: String { [title, number?.phoneNumber, text].compactMap { $0 }.joined(separator: ". ") }
}

extension ScreenState {
  /// `nil` until there is an outcome, unless the verification is slow.
  var card: OutcomeCard? {
    switch self {
    case .ready: nil
    case .running(let steps): steps.isSlow ? .slow : nil
    case .result(isVerified: true, _, _, _): .verified
    case .result(isVerified: false, _, _, _): .notVerified
    case .retrieved(let number, _): .retrieved(number)
    case .cancelled: .cancelled
    case .failed(let problem, _): OutcomeCard(problem)
    }
  }
}

extension OutcomeCard {
  /// The verification continues; an app may offer another channel in addition.
  fileprivate static let slow = OutcomeCard(
    tone: .neutral, symbol: "clock.fill", title: Texts.slow, text: Texts.slowWhat, actions: [.useSMS])

  fileprivate static let verified = OutcomeCard(
    tone: .success, symbol: "checkmark.circle.fill", title: Texts.verified, text: Texts.verifiedWhat)

  fileprivate static func retrieved(_ number: RetrievedNumber) -> OutcomeCard {
    OutcomeCard(
      tone: .success, symbol: "checkmark.circle.fill", title: Texts.retrieved, text: Texts.retrievedWhat, number: number)
  }

  fileprivate static let notVerified = OutcomeCard(
    tone: .caution, symbol: "xmark.circle.fill", title: Texts.notVerified, text: Texts.notVerifiedWhat, actions: [.useSMS])

  fileprivate static let cancelled = OutcomeCard(
    tone: .neutral, symbol: "xmark.circle.fill", title: Texts.cancelled, text: Texts.cancelledWhat)

  /// Maps each fallback to the app's reaction: the core of error handling.
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
