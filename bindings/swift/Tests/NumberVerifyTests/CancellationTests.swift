import NumberVerify
import Testing

/// A verification whose task is cancelled while a step hangs: it ends, and the network is released once. Every deadline is an hour, so the
/// cancellation ends it, and not a deadline.
@Suite(.timeLimit(.minutes(2)))
struct CancellationTests {
  @Test(arguments: Step.allCases)
  func cancellingTheTaskEndsTheVerification(step: Step) async throws {
    let stuck = try Stuck(at: step)
    let task = Task { try await stuck.verifier.verify(phoneNumber: Simulator.number) }
    await stuck.hangs()
    await expectCancellation(of: task)
    await stuck.expectReleasedOnce()
  }

  @Test(arguments: Step.allCases)
  func cancellingTheReaderEndsTheVerification(step: Step) async throws {
    let stuck = try Stuck(at: step)
    let task = Task { for try await _ in stuck.verifier.verifying(phoneNumber: Simulator.number) {} }
    await stuck.hangs()
    await expectCancellation(of: task)
    await stuck.expectReleasedOnce()
  }

  @Test(arguments: Step.allCases)
  func leavingTheLoopEndsTheVerification(step: Step) async throws {
    let stuck = try Stuck(at: step)
    for try await event in stuck.verifier.verifying(phoneNumber: Simulator.number) {
      guard case .stepBegan(step, _) = event else { continue }
      await stuck.hangs()
      break
    }
    await stuck.expectReleasedOnce()
  }

  @Test(arguments: Step.allCases)
  func cancellingTheTaskEndsTheRetrieval(step: Step) async throws {
    let stuck = try Stuck(at: step)
    let task = Task { try await stuck.verifier.retrieve() }
    await stuck.hangs()
    await expectCancellation(of: task)
    await stuck.expectReleasedOnce()
  }

  @Test(arguments: Step.allCases)
  func leavingTheLoopEndsTheRetrieval(step: Step) async throws {
    let stuck = try Stuck(at: step)
    for try await event in stuck.verifier.retrieving() {
      guard case .stepBegan(step, _) = event else { continue }
      await stuck.hangs()
      break
    }
    await stuck.expectReleasedOnce()
  }

  @Test func aCancelledTaskSendsNothing() async throws {
    let phone = Loopback()
    let verifier = try NumberVerifier(phone)
    let verification = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      _ = try await verifier.verify(phoneNumber: Simulator.number)
    }
    await #expect(throws: CancellationError.self) { try await verification.value }
    let retrieval = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      _ = try await verifier.retrieve()
    }
    await #expect(throws: CancellationError.self) { try await retrieval.value }
    #expect(await phone.counts.acquired == 0)
  }

  @Test func cancellingOneVerificationLeavesTheOther() async throws {
    let stuck = try Stuck(at: .complete)
    let first = Task { try await stuck.verifier.verify(phoneNumber: Simulator.number) }
    await stuck.hangs()
    let second = Task { try await stuck.verifier.verify(phoneNumber: Simulator.number) }
    await stuck.hangs()
    await expectCancellation(of: first)
    #expect(await stuck.phone.counts == Loopback.Counts(acquired: 1, released: 0))
    await expectCancellation(of: second)
    await stuck.expectReleasedOnce()
  }

  @Test func cancellingAPreparationEndsTheWaiting() async throws {
    let phone = Loopback(.neverComesUp)
    let verifier = try NumberVerifier(phone) { $0.waitAnHour() }
    let task = Task { try await verifier.prepare() }
    await phone.isAcquired()
    await expectCancellation(of: task)
    #expect(await phone.counts == Loopback.Counts(acquired: 1, released: 0))
  }

  @Test func aRunningVerificationOutlivesItsVerifier() async throws {
    let (reached, goOn) = (Signal(), Signal())
    let backend = ScriptedBackend(
      start: { _ in AuthorizationStart(authURL: Simulator.shared.authURL(operator: "a", state: "s")) },
      complete: { _ in
        reached.send()
        await goOn.wait()
        return #"{"verified":true}"#
      })
    let phone = Loopback()
    let progress = try NumberVerifier(phone, backend: backend).verifying(phoneNumber: Simulator.number)
    let task = Task { () -> Bool in
      for try await event in progress { if case .done(let verification) = event { return verification.verified } }
      return false
    }
    await reached.wait()
    goOn.send()
    #expect(try await task.value)
    await phone.isReleased()
  }

  private func expectCancellation<Value: Sendable>(of task: Task<Value, any Error>) async {
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }
}

/// A verification whose given step never ends.
private struct Stuck {
  let verifier: NumberVerifier
  let phone: Loopback
  private let step: Step
  private let reached = Signal()
  private let server: TestServer

  init(at step: Step) throws {
    self.step = step
    phone = Loopback(step == .acquire ? .neverComesUp : .comesUp)
    server = try TestServer { _ in .silence }
    let reached = reached
    let backend = ScriptedBackend(
      start: { _ in
        if step == .start {
          reached.send()
          return try await untilCancelled()
        }
        return AuthorizationStart(authURL: Simulator.shared.authURL(operator: step == .authorize ? "b" : "a", state: "s"))
      },
      complete: { _ in
        reached.send()
        return try await untilCancelled()
      })
    let resolve = server.resolve
    verifier = try NumberVerifier(phone, backend: backend) {
      $0.waitAnHour()
      if step == .authorize {
        $0.development.resolve.removeAll { $0.hasPrefix(TestServer.host) }
        $0.development.resolve.append(resolve)
      }
    }
  }

  func hangs() async {
    await phone.isAcquired()
    switch step {
    case .start, .complete: await reached.wait()
    case .acquire: break
    case .authorize: await server.reached.wait()
    }
  }

  func expectReleasedOnce() async {
    await phone.isReleased()
  }
}
