import NumberVerify
import Testing

/// A custom provider reports the loss of its network.
@Suite(.timeLimit(.minutes(2)))
struct NetworkLossTests {
  private static func errorKind(on phone: Loopback, lose: () async throws -> Void) async throws -> VerifyError.Kind? {
    let backend = ScriptedBackend(start: { _ in try await untilCancelled() })
    let verifier = try NumberVerifier(phone, backend: backend) { $0.setOneHourDeadlines() }
    let verification = Task { try await verifier.verify(phoneNumber: Simulator.number) }
    try await lose()
    return await (thrown { try await verification.value } as? VerifyError)?.kind
  }

  @Test func lossEndsTheVerificationImmediatelyWithItsCause() async throws {
    let phone = Loopback()
    let kind = try await Self.errorKind(on: phone) {
      await phone.waitUntilAcquired()
      try #require(await phone.events).lost(.vpn)
      try #require(await phone.events).lost(.dataOff)
    }
    #expect(kind == .cellularUnavailable(.vpn))
    await phone.waitUntilReleased()
  }

  @Test func lossBeforeAcquireReturnsEndsTheVerification() async throws {
    let phone = Loopback(.neverReturns)
    let kind = try await Self.errorKind(on: phone) {
      await phone.waitUntilAcquired()
      try #require(await phone.events).lost(.airplane)
    }
    #expect(kind == .cellularUnavailable(.airplane))
    await phone.waitUntilReleased()
  }
}
