import Foundation
import NumberVerify
import Testing

/// An error of the app's own code that is not of the type that the callback documents: it ends the verification with the documented error,
/// the network is released once, and the next verification works. Every deadline is an hour, so the callback ends it, and not a deadline.
@Suite(.timeLimit(.minutes(2)))
struct CallbackTests {
  enum Callback: CaseIterable { case acquire, start, complete }

  struct Surprise: Error, CustomStringConvertible {
    let description = "canary"
  }

  private static let unexpected: [any Error] = [
    Surprise(), CancellationError(), NSError(domain: "canary", code: 1, userInfo: [NSLocalizedDescriptionKey: "canary"]),
  ]

  @Test(arguments: Callback.allCases, unexpected)
  func anUnexpectedErrorEndsTheVerification(callback: Callback, error: any Error) async throws {
    try await expect(error, outOf: callback)
  }

  @Test func theTypedErrorOfAnotherCallbackIsUnexpectedToo() async throws {
    try await expect(BackendError.unreachable, outOf: .acquire)
    try await expect(CellularError(.dataOff), outOf: .start)
    try await expect(CellularError(.dataOff), outOf: .complete)
  }

  @Test(arguments: unexpected)
  func anUnexpectedErrorEndsThePreparation(error: any Error) async throws {
    let phone = Loopback(.failsOnce(error))
    let verifier = try NumberVerifier(phone) { $0.waitAnHour() }
    let failed = try #require(await thrown { try await verifier.prepare() } as? VerifyError)
    #expect(failed.kind == .cellularUnavailable(.unsupported))
    await phone.isReleased()
    #expect(try await verifier.verify(phoneNumber: Simulator.number).verified)
    await phone.isReleased(times: 2)
  }

  private func expect(_ error: any Error, outOf callback: Callback) async throws {
    let phone = Loopback(callback == .acquire ? .failsOnce(error) : .comesUp)
    let first = Once()
    let backend = ScriptedBackend(
      start: { _ in
        if callback == .start, await first.isIt() {
          await phone.isAcquired()
          throw error
        }
        return AuthorizationStart(authURL: Simulator.shared.authURL(operator: "a", state: "s"))
      },
      complete: { _ in
        if callback == .complete, await first.isIt() { throw error }
        return #"{"verified":true}"#
      })
    let verifier = try NumberVerifier(phone, backend: backend) { $0.waitAnHour() }

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
    await phone.isReleased()

    #expect(try await verifier.verify(phoneNumber: Simulator.number).verified)
    await phone.isReleased(times: 2)
  }
}

private actor Once {
  private var isOver = false

  func isIt() -> Bool {
    defer { isOver = true }
    return !isOver
  }
}
