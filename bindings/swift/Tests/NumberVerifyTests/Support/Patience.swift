import NumberVerify

extension NumberVerifier.Configuration {
  /// No deadline ends the verification before the test's own time limit does.
  mutating func waitAnHour() {
    deadlines.overallMs = 3_600_000
    deadlines.acquireMs = 3_600_000
    deadlines.connectMs = 3_600_000
    deadlines.answerMs = 3_600_000
    deadlines.backendMs = 3_600_000
  }
}
