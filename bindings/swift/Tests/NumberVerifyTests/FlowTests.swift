import Foundation
import NumberVerify
import Testing

/// Complete verifications against the simulator program, over real sockets.
@Suite(.timeLimit(.minutes(2)))
struct FlowTests {
  @Test(arguments: ["a", "b", "c"])
  func numberOfTheSIMIsVerified(operatorName: String) async throws {
    let phone = Loopback()
    let verification = try await NumberVerifier(phone, operator: operatorName).verify(phoneNumber: "+1 (415) 555-0100")
    #expect(verification.verified)
    #expect(verification.trace.network == .linuxInterface)
    #expect(verification.trace.hops.allSatisfy { $0.status.map((300..<400).contains) ?? false || $0.status == 200 })
    #expect(verification.trace.hops.map(\.index) == Array(1...verification.trace.hops.count))
    #expect(try member("verified", of: verification.responseJSON()) as? Bool == true)
    await phone.waitUntilReleased()
  }

  @Test(arguments: ["a", "b", "c"])
  func anotherNumberIsNotVerified(operatorName: String) async throws {
    let verification = try await NumberVerifier(Loopback(), operator: operatorName).verify(phoneNumber: Simulator.otherNumber)
    #expect(!verification.verified)
  }

  @Test func otherCodeDeliveriesVerify() async throws {
    for (operatorName, delivery) in [("a", CodeDelivery.followThrough), ("d", .noCode)] {
      let verifier = try NumberVerifier(Loopback(), operator: operatorName) { $0.codeDelivery = delivery }
      #expect(try await verifier.verify(phoneNumber: Simulator.number).verified, "\(delivery)")
      #expect(try await !verifier.verify(phoneNumber: Simulator.otherNumber).verified, "\(delivery)")
    }
  }

  @Test func customBackendReceivesBothCalls() async throws {
    let calls = Calls()
    let backend = ScriptedBackend(
      start: { request in
        #expect(request.phoneNumber == Simulator.number)
        #expect(request.timeLeftMs > 0)
        await calls.add(request.idempotencyKey, request.correlator)
        return AuthorizationStart(authURL: Simulator.shared.authURL(operator: "a", state: "own-state"), session: "own-session")
      },
      complete: { request in
        #expect(request.state == "own-state")
        #expect(request.session == "own-session")
        #expect(request.code?.isEmpty == false)
        await calls.add(request.idempotencyKey, request.correlator)
        return #"{"verified":true,"level":3}"#
      })
    let verification = try await NumberVerifier(Loopback(), backend: backend).verify(phoneNumber: Simulator.number)
    #expect(verification.verified)
    #expect(try member("level", of: verification.responseJSON()) as? Int == 3)
    #expect(await calls.keys.count == 2)
    #expect(await calls.correlators == [verification.trace.correlator])
  }

  @Test func progressIsTypedAndInOrder() async throws {
    var events: [NumberVerifier.Progress] = []
    for try await event in try NumberVerifier(Loopback()).verifying(phoneNumber: Simulator.number) { events.append(event) }

    guard case .done(let verification) = events.last else { Issue.record("no result: \(events)"); return }
    #expect(verification.verified)
    let hops = events.compactMap { if case .hopAnswered(let hop, _) = $0 { hop } else { nil } }
    #expect(hops == verification.trace.hops)

    func began(_ step: Step) throws -> Int {
      try #require(events.firstIndex { if case .stepBegan(step, _) = $0 { true } else { false } })
    }
    func ended(_ step: Step) throws -> Int {
      try #require(events.firstIndex { if case .stepEnded(step, _) = $0 { true } else { false } })
    }
    for step in Step.allCases { #expect(try began(step) < ended(step), "\(step)") }
    #expect(try ended(.start) < began(.authorize))
    #expect(try ended(.acquire) < began(.authorize))
    #expect(try ended(.authorize) < began(.complete))
    let times = events.compactMap { event in
      switch event {
      case .stepBegan(_, let atMs), .stepEnded(_, let atMs), .hopAnswered(_, let atMs), .slow(let atMs): atMs
      case .done, .retrieved: nil
      }
    }
    #expect(times == times.sorted())
    #expect(times.count == events.count - 1)
  }

  @Test func slowVerificationIsReportedOnceAndContinues() async throws {
    let backend = ScriptedBackend(start: { _ in
      try await Task.sleep(for: .milliseconds(50))
      return AuthorizationStart(authURL: Simulator.shared.authURL(operator: "a", state: "state"))
    })
    var slow: [Int] = []
    var isVerified = false
    for try await event in try NumberVerifier(Loopback(), backend: backend, configure: { $0.slowAfterMs = 1 })
      .verifying(phoneNumber: Simulator.number)
    {
      if case .slow(let atMs) = event { slow.append(atMs) }
      if case .done(let verification) = event { isVerified = verification.verified }
    }
    #expect(slow.count == 1)
    #expect(isVerified)
  }

  @Test func eachIterationRunsASeparateVerification() async throws {
    let phone = Loopback()
    let progress = try NumberVerifier(phone).verifying(phoneNumber: Simulator.number)
    #expect(await phone.counts.acquired == 0)
    var correlators: Set<String> = []
    for round in 1...2 {
      var iterator = progress.makeAsyncIterator()
      while let event = try await iterator.next() {
        if case .done(let verification) = event { correlators.insert(verification.trace.correlator) }
      }
      #expect(try await iterator.next() == nil)
      await phone.waitUntilReleased(times: round)
    }
    #expect(correlators.count == 2)
  }

  @Test func progressThrowsTheErrorOfTheVerification() async throws {
    let progress = try NumberVerifier(Loopback(.fails(CellularError(.dataOff)))).verifying(phoneNumber: Simulator.number)
    await #expect { for try await _ in progress {} } throws: { ($0 as? VerifyError)?.kind == .cellularUnavailable(.dataOff) }
  }

  @Test func checkReturnsTheStatusOfTheProvider() async throws {
    #expect(try await NumberVerifier(Loopback()).check() == .wifiActive)
  }

  @Test func preparedNetworkIsUsedByTheNextVerification() async throws {
    let phone = Loopback()
    let verifier = try NumberVerifier(phone)
    try await verifier.prepare()
    #expect(await phone.counts == Loopback.Counts(acquired: 1, released: 0))
    #expect(try await verifier.verify(phoneNumber: Simulator.number).verified)
    await phone.waitUntilReleased()
  }

  @Test func preparedNetworkIsReleasedWithTheVerifier() async throws {
    let phone = Loopback()
    var verifier: NumberVerifier? = try NumberVerifier(phone)
    try await verifier?.prepare()
    verifier = nil
    await phone.waitUntilReleased()
  }

  @Test func concurrentPreparationsWaitForTheNetwork() async throws {
    let networkUp = Signal()
    let phone = Loopback(.succeedsAfter(networkUp))
    let verifier = try NumberVerifier(phone)
    let first = Task { try await verifier.prepare() }
    await phone.waitUntilAcquired()
    let second = Task { try await verifier.prepare() }
    networkUp.send()
    try await first.value
    try await second.value
    #expect(await phone.counts == Loopback.Counts(acquired: 1, released: 0))
  }

  @Test func prepareThrowsTheErrorOfAVerification() async throws {
    let verifier = try NumberVerifier(Loopback(.fails(CellularError(.noSIM))))
    await #expect { try await verifier.prepare() } throws: { ($0 as? VerifyError)?.kind == .cellularUnavailable(.noSIM) }
  }
}

private actor Calls {
  private(set) var keys: Set<String> = []
  private(set) var correlators: Set<String> = []

  func add(_ key: String, _ correlator: String) {
    keys.insert(key)
    correlators.insert(correlator)
  }
}

private func member(_ name: String, of json: String) throws -> Any? {
  try (JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])?[name]
}
