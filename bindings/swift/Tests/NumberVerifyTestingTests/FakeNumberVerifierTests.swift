import NumberVerify
import NumberVerifyTesting
import Testing

@Suite(.timeLimit(.minutes(1)))
struct FakeNumberVerifierTests {
  private static let number = "+14155550100"
  private static let dataOff = VerifyError(.cellularUnavailable(.dataOff), fallback: .askToEnableMobileData)
  private let fake = FakeNumberVerifier()
  private var verifier: any NumberVerifying { fake }

  @Test func resultsAreReturnedInOrder() async throws {
    let verification = Verification(verified: true, responseJSON: #"{"token":"t"}"#)
    fake.enqueue(verified: true)
    fake.enqueue(verified: false)
    fake.enqueue(error: Self.dataOff)
    fake.enqueue(verification)
    #expect(try await verifier.verify(phoneNumber: Self.number).verified)
    #expect(try await !verifier.verify(phoneNumber: Self.number).verified)
    await #expect(throws: Self.dataOff) { try await verifier.verify(phoneNumber: Self.number) }
    #expect(try await verifier.verify(phoneNumber: Self.number) == verification)
  }

  @Test func numbersAreRetrievedInOrder() async throws {
    let number = RetrievedNumber(phoneNumber: Self.number, responseJSON: #"{"token":"t"}"#)
    fake.enqueue(number)
    fake.enqueue(error: Self.dataOff)
    fake.enqueue(phoneNumber: "+14155550199")
    #expect(try await verifier.retrieve() == number)
    await #expect(throws: Self.dataOff) { try await verifier.retrieve() }
    #expect(try await verifier.retrieve().phoneNumber == "+14155550199")
    #expect(fake.calls.map { $0.phoneNumber() } == [nil, nil, nil])
  }

  @Test func resultOfTheOtherKindIsNotConsumed() async throws {
    fake.enqueue(phoneNumber: Self.number)
    fake.enqueue(verified: true)
    await #expect(throws: FakeNumberVerifier.NothingEnqueued.self) { try await verifier.verify(phoneNumber: Self.number) }
    #expect(try await verifier.retrieve().phoneNumber == Self.number)
    await #expect(throws: FakeNumberVerifier.NothingEnqueued.self) { try await verifier.retrieve() }
    #expect(try await verifier.verify(phoneNumber: Self.number).verified)
  }

  @Test(arguments: everyKind)
  func everyErrorCanBeEnqueued(kind: VerifyError.Kind) async throws {
    let error = VerifyError(kind, fallback: .retryLater, trace: Trace(correlator: "sign-in:42"))
    fake.enqueue(error: error)
    await #expect(throws: error) { try await verifier.verify(phoneNumber: Self.number) }
  }

  @Test func callWithoutAResultThrows() async throws {
    await #expect(throws: FakeNumberVerifier.NothingEnqueued.self) { try await verifier.verify(phoneNumber: Self.number) }
  }

  @Test func iterationEmitsProgressThenTheResult() async throws {
    let progress: [NumberVerifier.Progress] = [.stepBegan(.start, atMs: 0), .hopAnswered(Hop(host: "a.test"), atMs: 9), .slow(atMs: 4_000)]
    fake.enqueue(verified: true, progress: progress)
    fake.enqueue(error: Self.dataOff, progress: progress)
    let verifying = verifier.verifying(phoneNumber: Self.number)
    #expect(fake.calls.isEmpty)
    var events: [NumberVerifier.Progress] = []
    for try await event in verifying { events.append(event) }
    #expect(events == progress + [.done(Verification(verified: true))])

    events = []
    await #expect(throws: Self.dataOff) {
      for try await event in verifying { events.append(event) }
    }
    #expect(events == progress)
    #expect(fake.calls.count == 2)
  }

  @Test func iterationEmitsProgressThenTheNumber() async throws {
    let progress: [NumberVerifier.Progress] = [.stepBegan(.start, atMs: 0), .slow(atMs: 4_000)]
    fake.enqueue(phoneNumber: Self.number, progress: progress)
    fake.enqueue(error: Self.dataOff, progress: progress)
    let retrieving = verifier.retrieving { $0.correlator = "sign-in:42" }
    #expect(fake.calls.isEmpty)
    var events: [NumberVerifier.Progress] = []
    for try await event in retrieving { events.append(event) }
    #expect(events == progress + [.retrieved(RetrievedNumber(phoneNumber: Self.number))])

    events = []
    await #expect(throws: Self.dataOff) {
      for try await event in retrieving { events.append(event) }
    }
    #expect(events == progress)
    #expect(fake.calls.map(\.options.correlator) == ["sign-in:42", "sign-in:42"])
  }

  @Test func resultIsDelayed() async throws {
    fake.enqueue(verified: true, delayMs: 50)
    let start = ContinuousClock.now
    _ = try await verifier.verify(phoneNumber: Self.number)
    #expect(ContinuousClock.now - start >= .milliseconds(50))
  }

  @Test func heldCallsReturnOnceReleased() async throws {
    fake.enqueue(verified: true)
    fake.enqueue(verified: true)
    fake.hold()
    let returned = Flag()
    let calls = (1...2).map { _ in
      Task {
        let verification = try await fake.verify(phoneNumber: Self.number)
        await returned.set()
        return verification.verified
      }
    }
    await fake.waitForHeldCall()
    await fake.waitForHeldCall()
    #expect(await !returned.isSet)
    fake.release()
    for call in calls { #expect(try await call.value) }
    fake.enqueue(verified: false)
    #expect(try await !verifier.verify(phoneNumber: Self.number).verified)
  }

  @Test func heldCallCanBeCancelled() async throws {
    fake.enqueue(verified: true)
    fake.enqueue(verified: true)
    fake.hold()
    let call = Task { try await fake.verify(phoneNumber: Self.number) }
    await fake.waitForHeldCall()
    call.cancel()
    await #expect(throws: CancellationError.self) { try await call.value }
    let loop = Task { for try await _ in fake.verifying(phoneNumber: Self.number) {} }
    await fake.waitForHeldCall()
    loop.cancel()
    await #expect(throws: CancellationError.self) { try await loop.value }
  }

  @Test func heldRetrievalCanBeReleasedOrCancelled() async throws {
    fake.enqueue(phoneNumber: Self.number)
    fake.enqueue(phoneNumber: Self.number)
    fake.hold()
    let cancelled = Task { try await fake.retrieve() }
    await fake.waitForHeldCall()
    cancelled.cancel()
    await #expect(throws: CancellationError.self) { try await cancelled.value }
    let released = Task { try await fake.retrieve().phoneNumber }
    await fake.waitForHeldCall()
    fake.release()
    #expect(try await released.value == Self.number)
  }

  @Test func cancelledTaskConsumesNoResult() async throws {
    fake.enqueue(verified: true)
    let call = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await fake.verify(phoneNumber: Self.number)
    }
    await #expect(throws: CancellationError.self) { try await call.value }
    #expect(fake.calls.isEmpty)
    #expect(try await verifier.verify(phoneNumber: Self.number).verified)
  }

  @Test func callsAreRecordedWithTheirOptions() async throws {
    fake.enqueue(verified: true)
    _ = try await verifier.verify(phoneNumber: Self.number) { $0.setHeader("Authorization", "Bearer canary") }
    let call = try #require(fake.calls.first)
    #expect(call.phoneNumber() == Self.number)
    #expect(call.options == VerificationOptions { $0.setHeader("Authorization", "Bearer canary") })
    #expect(call.options != VerificationOptions())
    fake.enqueue(phoneNumber: Self.number)
    var output = "\(call) \(String(reflecting: call)) \(fake.calls) \(fake)"
    dump(call, to: &output)
    dump(fake, to: &output)
    #expect(!output.contains("canary") && !output.contains("4155550100"))
  }

  @Test func checkAndPrepareReturnTheConfiguredResults() async throws {
    #expect(await verifier.check() == .ready)
    fake.status = .unavailable(.airplane)
    #expect(await verifier.check() == .unavailable(.airplane))
    try await verifier.prepare()
    fake.prepareError = Self.dataOff
    await #expect(throws: Self.dataOff) { try await verifier.prepare() }
    #expect(fake.prepareCount == 2)
  }
}

private actor Flag {
  private(set) var isSet = false

  func set() { isSet = true }
}
