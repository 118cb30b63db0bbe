import Network
import NumberVerify
import Testing

/// The verifier as an app on an Apple system makes it, with the real core.
@Suite(.timeLimit(.minutes(1)))
struct AppTests {
  @Test func anyNetworkVerifiesInADebugBuild() async throws {
    let verifier = try NumberVerifier(backend: Simulator.shared.backend("a")) {
      Simulator.shared.configure(&$0)
      $0.development.anyNetwork = true
    }
    #expect(await verifier.check() == .ready)
    let verification = try await verifier.verify(phoneNumber: Simulator.number)
    #expect(verification.verified)
    #expect(verification.trace.network == .unbound)
  }

  @Test func anOwnClientDoesToo() async throws {
    let backend = ScriptedBackend(authURL: Simulator.shared.authURL(operator: "a", state: "s"))
    let verifier = try NumberVerifier(backend: backend, backendURL: "https://unused.test") {
      Simulator.shared.configure(&$0)
      $0.development.anyNetwork = true
    }
    #expect(try await verifier.verify(phoneNumber: Simulator.number).verified)
  }

  /// Linux cannot bind a socket as Apple systems do, so the verification ends where the network is there; the provider does its part.
  @Test func theCellularNetworkIsBroughtUpForAVerificationAndLetGo() async throws {
    // The core calls the provider on tasks of its own, in the world that is there without a test's.
    let world = Stub.world
    world.atStart(path: NWPath(.satisfied, [.cellular]))
    let verifier = try NumberVerifier(backend: Simulator.shared.backend("a"), configure: Simulator.shared.configure)
    let error = await thrown { try await verifier.verify(phoneNumber: Simulator.number) } as? VerifyError
    #expect(error?.kind == .cellularUnavailable(.unsupported))
    #expect(world.all.endpoints == ["backend.simulator.test:443 over cellular"])
    try await world.until { _ in world.cancelled == [1, 1] }
  }

  @Test func aBackendThatIsNoURL() async {
    let error = await thrown { try NumberVerifier(backend: "nonsense") } as? VerifyError
    #expect(error?.kind == .invalidConfig(setting: "backend"))
  }
}
