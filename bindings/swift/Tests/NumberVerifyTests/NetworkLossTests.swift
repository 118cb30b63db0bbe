import NumberVerify
import Testing

/// An app's provider reports that its network is lost.
@Suite(.timeLimit(.minutes(2)))
struct NetworkLossTests {
  private static func cause(on phone: Loopback, lose: () async throws -> Void) async throws -> VerifyError.Kind? {
    let backend = ScriptedBackend(start: { _ in try await untilCancelled() })
    let verifier = try NumberVerifier(phone, backend: backend) { $0.waitAnHour() }
    let verification = Task { try await verifier.verify(phoneNumber: Simulator.number) }
    try await lose()
    return await (thrown { try await verification.value } as? VerifyError)?.kind
  }

  @Test func lossEndsAVerificationAtOnceWithItsCause() async throws {
    let phone = Loopback()
    let cause = try await Self.cause(on: phone) {
      await phone.isAcquired()
      try #require(await phone.events).lost(.vpn)
      try #require(await phone.events).lost(.dataOff)
    }
    #expect(cause == .cellularUnavailable(.vpn))
    await phone.isReleased()
  }

  @Test func lossBeforeAcquireReturnsEndsIt() async throws {
    let phone = Loopback(.neverComesUp)
    let cause = try await Self.cause(on: phone) {
      await phone.isAcquired()
      try #require(await phone.events).lost(.airplane)
    }
    #expect(cause == .cellularUnavailable(.airplane))
    await phone.isReleased()
  }
}
