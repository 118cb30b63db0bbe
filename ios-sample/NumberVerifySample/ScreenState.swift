import NumberVerify

/// The state of the screen and its transitions during a verification or retrieval. A pure value
/// without SwiftUI or tasks. No `description` includes the phone number.
enum ScreenState: Equatable, Sendable {
  /// A verification or retrieval can start.
  case ready(numberIsInvalid: Bool)
  case running(Steps)
  /// `trace`: the trace as a table; `report`: the text to share.
  case result(isVerified: Bool, Steps, trace: String, report: String)
  case retrieved(RetrievedNumber, Steps)
  case failed(Problem, Steps)
  case cancelled(Steps)
}

extension ScreenState {
  var steps: Steps {
    switch self {
    case .ready: Steps()
    case .running(let steps), .result(_, let steps, _, _), .retrieved(_, let steps), .failed(_, let steps), .cancelled(let steps): steps
    }
  }

  /// The trace as a table, if available.
  var trace: String? {
    switch self {
    case .ready, .running, .cancelled: nil
    case .result(_, _, let trace, _): trace
    case .retrieved(let number, _): number.trace.table()
    case .failed(let problem, _): problem.trace
    }
  }

  /// The text to share, if available: the trace in words, as a table and as JSON.
  var report: String? {
    switch self {
    case .ready, .running, .cancelled: nil
    case .result(_, _, _, let report): report
    case .retrieved(let number, _): number.trace.report
    case .failed(let problem, _): problem.report
    }
  }

  var isRunning: Bool {
    if case .running = self { true } else { false }
  }

  /// What VoiceOver reads on a change: the running step. A card has a separate announcement.
  var announcement: String? {
    if case .ready(numberIsInvalid: true) = self { return Texts.phoneNumberInvalid }
    return steps.current.map { Texts.progress($0) }
  }
}

// Only a running state changes: late events, after Cancel, are ignored.
extension ScreenState {
  func after(_ progress: NumberVerifier.Progress) -> ScreenState {
    guard case .running(let steps) = self else { return self }
    let next = steps.after(progress)
    return switch progress {
    case .done(let verification):
      .result(isVerified: verification.verified, next, trace: verification.trace.table(), report: verification.trace.report)
    case .retrieved(let number): .retrieved(number, next)
    default: .running(next)
    }
  }

  func failed(_ error: VerifyError) -> ScreenState {
    guard case .running(let steps) = self else { return self }
    if error.kind == .invalidPhoneNumber { return .ready(numberIsInvalid: true) }
    let problem = Problem(error)
    return .failed(problem, steps.ended(failing: problem.step))
  }

  func cancelled() -> ScreenState {
    guard case .running(let steps) = self else { return self }
    return .cancelled(steps.ended(failing: nil))
  }
}
