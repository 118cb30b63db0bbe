import Foundation
import NumberVerify
import Testing

/// The log, written to stderr on Linux. A single test, because the log is process-wide.
@Suite(.timeLimit(.minutes(1)))
struct LogTests {
  @Test func logIsOffByDefaultAndContainsNoSecret() async throws {
    let session = "canary-session"
    let backend = ScriptedBackend(
      start: { _ in
        AuthorizationStart(authURL: Simulator.shared.authURL(operator: "a", state: "canary-state"), session: session)
      },
      complete: { _ in #"{"verified":true,"name":"canary-response"}"# })
    let verifier = try NumberVerifier(Loopback(), backend: backend) { $0.addOperatorHeader("X-Operator", "canary-header") }
    let retriever = try NumberVerifier(
      Loopback(),
      backend: ScriptedBackend(
        start: backend.start, complete: { _ in #"{"phoneNumber":"\#(Simulator.number)","name":"canary-response"}"# }))
    func verify() async throws {
      #expect(try await verifier.verify(phoneNumber: Simulator.number).verified)
      #expect(try await retriever.retrieve().phoneNumber == Simulator.number)
    }

    #expect(try await standardError(of: verify) == "")
    NumberVerifier.logToSystem(.debug)
    let log = try await standardError(of: verify)
    #expect(log.contains("authorize begins"))
    #expect(log.contains("auth.simulator.test"))
    #expect(log.contains("verified"))
    #expect(log.contains("number retrieved"))
    #expect(!log.contains("canary"))
    #expect(!log.contains("4155550100"))
    NumberVerifier.logToSystem(.info)
    #expect(try await !standardError(of: verify).contains("begins"))
    NumberVerifier.logToSystem(.warn)
    #expect(try await standardError(of: verify) == "")
  }

  private func standardError(of call: () async throws -> Void) async throws -> String {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("number-verify-log-\(getpid())").path
    let (before, log) = (dup(2), open(file, O_CREAT | O_TRUNC | O_WRONLY, 0o600))
    try #require(before >= 0 && log >= 0)
    dup2(log, 2)
    close(log)
    defer {
      dup2(before, 2)
      close(before)
    }
    try await call()
    defer { unlink(file) }
    return try String(contentsOfFile: file, encoding: .utf8)
  }
}
