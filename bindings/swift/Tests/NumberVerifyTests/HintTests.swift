import NumberVerify
import Testing

/// An operator that requires hints.
@Suite(.timeLimit(.minutes(2)))
struct HintTests {
  private static let host = "old.simulator.test"
  private static let hint = Hint(
    host: host, headers: ["Accept": "application/json"], addressFamily: .ipv4, maxTLS: .tls12)
  private static let json = """
    [{"host": "old.simulator.test", "headers": {"Accept": "application/json"}, "addressFamily": "ipv4", "maxTls": "1.2"}]
    """

  @Test func hintsFromTheConfigurationApply() async throws {
    let hints = try Hint.hints(fromJSON: Self.json)
    let verifier = try NumberVerifier(Loopback(), operator: "works-with-hints-only") { $0.hints = hints }
    let verification = try await verifier.verify(phoneNumber: Simulator.number)
    #expect(verification.verified)
    let hop = try #require(verification.trace.hops.first { $0.host == Self.host })
    #expect(hop.family == .ipv4)
    #expect(hop.tlsVersion == .tls12)
    #expect(hop.traceIDs.isEmpty)
    #expect(verification.trace.hops.first?.tlsVersion == .tls13, "another host")
  }

  @Test func hintsFromTheStartResponseApply() async throws {
    let verifier = try NumberVerifier(Loopback(), operator: "hints-in-start-response")
    #expect(try await verifier.verify(phoneNumber: Simulator.number).verified)
  }

  @Test func hintsFromACustomBackendApply() async throws {
    let authURL = Simulator.shared.authURL(operator: "works-with-hints-only", state: "state")
    let backend = ScriptedBackend(start: { _ in AuthorizationStart(authURL: authURL, hints: [Self.hint]) })
    #expect(try await NumberVerifier(Loopback(), backend: backend).verify(phoneNumber: Simulator.number).verified)
  }

  @Test func requestFailsWithoutHints() async throws {
    let verifier = try NumberVerifier(Loopback(), operator: "works-with-hints-only")
    let error = await thrown { try await verifier.verify(phoneNumber: Simulator.number) } as? VerifyError
    #expect(error?.kind == .authorization(hop: 3, host: Self.host, reason: .httpStatus, status: 403, alert: nil))
  }

  @Test func hintsDecodeFromStartResponseJSON() throws {
    #expect(try Hint.hints(fromJSON: Self.json) == [Self.hint])
    #expect(try Hint.hints(fromJSON: #"[{"host": "*.op.test", "since": 2027}]"#) == [Hint(host: "*.op.test")])
    for json in ["", "{}", #"[{"host": "op.test:443"}]"#, #"[{"host": "op.test", "maxTls": "1.1"}]"#] {
      #expect { try Hint.hints(fromJSON: json) } throws: { ($0 as? VerifyError)?.kind == .invalidConfig(setting: "hints") }
    }
  }
}
