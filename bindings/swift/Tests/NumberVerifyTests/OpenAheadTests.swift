import NumberVerify
import Testing

/// Connections opened ahead, with the real core and the simulator program.
@Suite(.timeLimit(.minutes(2)))
struct OpenAheadTests {
  @Test func secondVerificationOpensConnectionsToTheHostsOfTheFirst() async throws {
    let verifier = try NumberVerifier(Loopback())
    try await expectNothingOpenedAhead(by: verifier)
    let second = try await verifier.verify(phoneNumber: Simulator.number).trace
    #expect(second.openedAhead.first == "auth.simulator.test")
    try expectOpenedAhead(#require(second.hops.first))
  }

  @Test func verificationAfterPrepareUsesItsConnections() async throws {
    let phone = Loopback()
    let verifier = try NumberVerifier(phone)
    _ = try await verifier.verify(phoneNumber: Simulator.number)
    try await verifier.prepare()
    let prepared = try await verifier.verify(phoneNumber: Simulator.number)
    #expect(prepared.verified)
    try expectOpenedAhead(#require(prepared.trace.hops.first))
    await phone.waitUntilReleased(times: 2)
  }

  @Test func hostsAreRememberedPerOperator() async throws {
    let verifier = try NumberVerifier(ChangingOperator(["310260", "310150", "310260"]))
    try await expectNothingOpenedAhead(by: verifier)
    try await expectNothingOpenedAhead(by: verifier)
    #expect(try await !verifier.verify(phoneNumber: Simulator.number).trace.openedAhead.isEmpty)
  }

  @Test func forgottenHostsAreNotConnectedTo() async throws {
    let verifier = try NumberVerifier(Loopback())
    _ = try await verifier.verify(phoneNumber: Simulator.number)
    verifier.forgetHosts()
    try await verifier.prepare()
    try await expectNothingOpenedAhead(by: verifier)
  }

  @Test func disabledOpenAheadOpensNothing() async throws {
    let verifier = try NumberVerifier(Loopback()) { $0.openAhead = false }
    _ = try await verifier.verify(phoneNumber: Simulator.number)
    try await verifier.prepare()
    try await expectNothingOpenedAhead(by: verifier)
  }

  @Test func networkEventsClosureReceivesTheOperator() async {
    let (operators, continuation) = AsyncStream.makeStream(of: String.self)
    NetworkEvents(onLoss: { _ in }, onOperator: { continuation.yield($0) }).operatedBy(mccMNC: "310260")
    NetworkEvents { _ in }.operatedBy(mccMNC: "310150")
    continuation.finish()
    #expect(await operators.reduce(into: []) { $0.append($1) } == ["310260"])
  }

  private func expectNothingOpenedAhead(by verifier: NumberVerifier) async throws {
    let verification = try await verifier.verify(phoneNumber: Simulator.number)
    #expect(verification.verified)
    #expect(verification.trace.openedAhead.isEmpty)
    #expect(verification.trace.hops.allSatisfy { !$0.isOpenedAhead })
  }

  private func expectOpenedAhead(_ hop: Hop) {
    #expect(hop.isOpenedAhead && !hop.isReused)
    #expect(hop.dnsMs == nil && hop.tlsMs == nil)
  }
}

/// The loopback interface, with a different operator on each acquire.
private actor ChangingOperator: CellularProvider {
  private var operators: [String]

  init(_ operators: [String]) {
    self.operators = operators
  }

  func acquire(events: NetworkEvents) -> NetworkBinding {
    if !operators.isEmpty { events.operatedBy(mccMNC: operators.removeFirst()) }
    return .linuxInterface(name: "lo")
  }

  func release() {}

  func status() -> CellularStatus { .ready }
}
