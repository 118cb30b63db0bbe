import Foundation
import NumberVerify
import Testing

/// A callback that throws an error of an undocumented type: the verification fails with the
/// documented error, the network is released once, and the next verification works. Every timeout
/// is an hour, so that the callback ends the verification, not a timeout.
@Suite(.timeLimit(.minutes(2)))
struct CallbackTests {
  enum Callback: CaseIterable { case acquire, start, complete }

  struct UnexpectedError: Error, CustomStringConvertible {
    let description = "canary"
  }

  private static let unexpected: [any Error] = [
    UnexpectedError(), CancellationError(), NSError(domain: "canary", code: 1, userInfo: [NSLocalizedDescriptionKey: "canary"]),
  ]

  @Test(arguments: Callback.allCases, unexpected)
  func unexpectedErrorEndsTheVerification(callback: Callback, error: any Error) async throws {
    try await expect(error, outOf: callback)
  }

  @Test func typedErrorOfAnotherCallbackIsUnexpected() async throws {
    try await expect(BackendError.unreachable, outOf: .acquire)
    try await expect(CellularError(.dataOff), outOf: .start)
    try await expect(CellularError(.dataOff), outOf: .complete)
  }

  @Test(arguments: unexpected)
  func unexpectedErrorEndsThePreparation(error: any Error) async throws {
    let phone = Loopback(.failsOnce(error))
    let verifier = try NumberVerifier(phone) { $0.setOneHourDeadlines() }
    let failed = try #require(await thrown { try await verifier.prepare() } as? VerifyError)
    #expect(failed.kind == .cellularUnavailable(.unsupported))
    await phone.waitUntilReleased()
    #expect(try await verifier.verify(phoneNumber: Simulator.number).verified)
    await phone.waitUntilReleased(times: 2)
  }

  private func expect(_ error: any Error, outOf callback: Callback) async throws {
    let phone = Loopback(callback == .acquire ? .failsOnce(error) : .succeeds)
    let first = FirstCall()
    let backend = ScriptedBackend(
      start: { _ in
        if callback == .start, await first.isFirst() {
          await phone.waitUntilAcquired()
          throw error
        }
        return AuthorizationStart(authURL: Simulator.shared.authURL(operator: "a", state: "s"))
      },
      complete: { _ in
        if callback == .complete, await first.isFirst() { throw error }
        return #"{"verified":true}"#
      })
    let verifier = try NumberVerifier(phone, backend: backend) { $0.setOneHourDeadlines() }

    let failed = try #require(await thrown { try await verifier.verify(phoneNumber: Simulator.number) } as? VerifyError)
    switch callback {
    case .acquire:
      #expect(failed.kind == .cellularUnavailable(.unsupported))
    case .start, .complete:
      let step = callback == .start ? Step.start : .complete
      #expect(failed.kind == .backend(step: step, reason: .appFailed, status: nil, retryAfterSeconds: nil))
      #expect(failed.fallback == .fixIntegration)
      #expect(
        failed.description
          == "The app's Backend failed during \(step): make the app's Backend fail only with the error type of its interface.")
    }
    #expect(!"\(failed) \(String(reflecting: failed))".contains("canary"))
    await phone.waitUntilReleased()

    #expect(try await verifier.verify(phoneNumber: Simulator.number).verified)
    await phone.waitUntilReleased(times: 2)
  }
}

private actor FirstCall {
  private var wasCalled = false

  func isFirst() -> Bool {
    defer { wasCalled = true }
    return !wasCalled
  }
}
