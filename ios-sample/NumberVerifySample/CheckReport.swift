import Foundation

/// The report to share. Contains no phone number, code, state, cookie, ICCID or IMSI: it is made of
/// traces, which are safe to share, and of facts of the platform. It contains no address either,
/// not even a truncated one: whether two addresses differ is all that the check needs. Without the
/// traces' correlators, with which the simulator would return addresses.
struct CheckReport {
  let device: [String: String]
  let state: CheckState
  let runs: [(step: CheckStep, run: CheckRun)]

  func json() -> String {
    let steps = CheckStep.allCases.map { step -> [String: Any] in
      let result = state[step]
      return ["id": step.id, "outcome": result.outcome.rawValue, "reason": result.reason, "facts": result.facts]
    }
    let verifications = runs.compactMap { step, run -> [String: Any]? in
      guard let trace = run.trace, let json = try? JSONSerialization.jsonObject(with: Data(trace.utf8)) else { return nil }
      var members = json as? [String: Any] ?? [:]
      members["correlator"] = nil
      return ["step": step.id, "trace": members]
    }
    let report: [String: Any] = [
      "format": "number-verify/device-check", "version": 1, "finished": state.isFinished, "device": device, "steps": steps,
      "verifications": verifications,
    ]
    // Only strings, numbers and JSON: it cannot fail.
    let data = try? JSONSerialization.data(withJSONObject: report, options: [.sortedKeys, .withoutEscapingSlashes])
    return String(decoding: data ?? Data(), as: UTF8.self)
  }

  func text() -> String {
    var lines = ["Device check: " + CheckResult.Outcome.allCases.map { "\(state.count($0)) \($0.words)" }.joined(separator: ", ")]
    lines += list(device).map { "\($0.key): \($0.value)" }
    for step in CheckStep.allCases {
      let result = state[step]
      lines.append("\(result.outcome.words.uppercased()) \(step.title). \(result.reason)")
      if !result.facts.isEmpty { lines.append("  " + list(result.facts).map { "\($0.key) \($0.value)" }.joined(separator: ", ")) }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Both.
  func share() -> String { text() + json() }

  private func list(_ facts: [String: String]) -> [(key: String, value: String)] { facts.sorted { $0.key < $1.key } }
}
