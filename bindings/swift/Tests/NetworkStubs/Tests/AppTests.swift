import Network
import NumberVerify
import Testing

/// The verifier as created by an app on an Apple platform, with the real core.
@Suite(.timeLimit(.minutes(1)))
struct AppTests {
  @Test func debugBuildVerifiesOverAnyNetwork() async throws {
    let verifier = try NumberVerifier(backend: Simulator.shared.backend("a")) {
      Simulator.shared.configure(&$0)
      $0.development.anyNetwork = true
    }
    #expect(await verifier.check() == .ready)
    let verification = try await verifier.verify(phoneNumber: Simulator.number)
    #expect(verification.verified)
    #expect(verification.trace.network == .unbound)
  }

  @Test func customBackendVerifiesOverAnyNetwork() async throws {
    let backend = ScriptedBackend(authURL: Simulator.shared.authURL(operator: "a", state: "s"))
    let verifier = try NumberVerifier(backend: backend, backendURL: "https://unused.test") {
      Simulator.shared.configure(&$0)
      $0.development.anyNetwork = true
    }
    #expect(try await verifier.verify(phoneNumber: Simulator.number).verified)
  }

  /// Linux cannot bind a socket as Apple platforms do, so the verification fails once the network
  /// is acquired; this covers the provider only.
  @Test func verificationAcquiresAndReleasesTheCellularNetwork() async throws {
    // The core calls the provider in separate tasks, which use the default world.
    let world = Stub.world
    world.atStart(path: NWPath(.satisfied, [.cellular]))
    let verifier = try NumberVerifier(backend: Simulator.shared.backend("a"), configure: Simulator.shared.configure)
    let error = await thrown { try await verifier.verify(phoneNumber: Simulator.number) } as? VerifyError
    #expect(error?.kind == .cellularUnavailable(.unsupported))
    #expect(world.all.endpoints == ["backend.simulator.test:443 over cellular"])
    try await world.until { _ in world.cancelled == [1, 1] }
  }

  @Test func invalidBackendURLThrowsInvalidConfig() async {
    let error = await thrown { try NumberVerifier(backend: "nonsense") } as? VerifyError
    #expect(error?.kind == .invalidConfig(setting: "backend"))
  }
}
