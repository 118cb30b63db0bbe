import Foundation

/// The state of the check. A pure value.
struct CheckState: Equatable, Sendable {
  private var results: [CheckStep: CheckResult] = [:]
  /// The step that runs or waits for the person.
  private(set) var current: CheckStep?
  /// Whether `current` waits for the person.
  private(set) var isWaiting = false

  subscript(step: CheckStep) -> CheckResult {
    results[step] ?? CheckResult(outcome: .notRun, reason: "The check has not reached this step.")
  }

  var isFinished: Bool { current == nil && results.count == CheckStep.allCases.count }

  func count(_ outcome: CheckResult.Outcome) -> Int { CheckStep.allCases.filter { self[$0].outcome == outcome }.count }

  /// The step waits for the person if one is there; otherwise it runs.
  func began(_ step: CheckStep, isAttended: Bool) -> CheckState {
    var next = self
    next.current = step
    next.isWaiting = isAttended && step.instruction != nil
    return next
  }

  /// The person has pressed Continue.
  func continued() -> CheckState {
    var next = self
    next.isWaiting = false
    return next
  }

  func ended(_ step: CheckStep, _ result: CheckResult) -> CheckState {
    var next = self
    next.results[step] = result
    next.current = nil
    next.isWaiting = false
    return next
  }
}

/// The result of a step. Contains no address, number or other secret.
struct CheckResult: Equatable, Sendable {
  enum Outcome: String, CaseIterable, Sendable {
    case notRun = "not_run"
    case passed, failed, skipped

    var words: String { rawValue.replacingOccurrences(of: "_", with: " ") }
  }

  var outcome: Outcome
  /// One sentence.
  let reason: String
  /// Measurements by name.
  var facts: [String: String] = [:]
}
