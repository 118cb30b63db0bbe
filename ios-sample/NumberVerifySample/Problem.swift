import NumberVerify

/// The parts of an error that the screen shows.
struct Problem: Equatable, Sendable {
  let fallback: Fallback
  /// A sentence for developers; safe to show and to share.
  let cause: String
  /// The step that failed.
  let step: Step?
  /// The trace as a table.
  let trace: String?
  /// For support and developers.
  let report: String

  init(_ error: VerifyError) {
    fallback = error.fallback
    cause = error.description
    step = error.step
    trace = error.trace?.table()
    report = error.trace?.report ?? error.description
  }
}

extension Trace {
  /// The trace in words, as a table, and as JSON for `explain` and `replay` of the command line.
  var report: String { [explanation(), table(), json()].joined(separator: "\n") }
}

extension VerifyError {
  fileprivate var step: Step? {
    switch kind {
    case .cellularUnavailable: .acquire
    case .backend(let step, _, _, _), .deadlineExceeded(let step): step
    case .authorization, .deniedByOperator, .stateMismatch: .authorize
    default: nil
    }
  }
}
