import NumberVerify

extension NumberVerifier.Configuration {
  /// Sets timeouts that are longer than the test's time limit.
  mutating func setOneHourDeadlines() {
    deadlines.overallMs = 3_600_000
    deadlines.acquireMs = 3_600_000
    deadlines.connectMs = 3_600_000
    deadlines.answerMs = 3_600_000
    deadlines.backendMs = 3_600_000
  }
}
