import NumberVerify
import Testing

/// A verification whose task is cancelled while a step hangs: it ends, and the network is released
/// once. Every timeout is an hour, so that the cancellation ends the verification, not a timeout.
@Suite(.timeLimit(.minutes(2)))
struct CancellationTests {
  @Test(arguments: Step.allCases)
  func cancellingTheTaskEndsTheVerification(step: Step) async throws {
    let hanging = try HangingVerification(at: step)
    let task = Task { try await hanging.verifier.verify(phoneNumber: Simulator.number) }
    await hanging.waitUntilHanging()
    await expectCancellation(of: task)
    await hanging.expectReleasedOnce()
  }

  @Test(arguments: Step.allCases)
  func cancellingTheConsumerEndsTheVerification(step: Step) async throws {
    let hanging = try HangingVerification(at: step)
    let task = Task { for try await _ in hanging.verifier.verifying(phoneNumber: Simulator.number) {} }
    await hanging.waitUntilHanging()
    await expectCancellation(of: task)
    await hanging.expectReleasedOnce()
  }

  @Test(arguments: Step.allCases)
  func leavingTheLoopEndsTheVerification(step: Step) async throws {
    let hanging = try HangingVerification(at: step)
    for try await event in hanging.verifier.verifying(phoneNumber: Simulator.number) {
      guard case .stepBegan(step, _) = event else { continue }
      await hanging.waitUntilHanging()
      break
    }
    await hanging.expectReleasedOnce()
  }

  @Test(arguments: Step.allCases)
  func cancellingTheTaskEndsTheRetrieval(step: Step) async throws {
    let hanging = try HangingVerification(at: step)
    let task = Task { try await hanging.verifier.retrieve() }
    await hanging.waitUntilHanging()
    await expectCancellation(of: task)
    await hanging.expectReleasedOnce()
  }

  @Test(arguments: Step.allCases)
  func leavingTheLoopEndsTheRetrieval(step: Step) async throws {
    let hanging = try HangingVerification(at: step)
    for try await event in hanging.verifier.retrieving() {
      guard case .stepBegan(step, _) = event else { continue }
      await hanging.waitUntilHanging()
      break
    }
    await hanging.expectReleasedOnce()
  }

  @Test func cancelledTaskSendsNothing() async throws {
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

  @Test func cancellingOneVerificationDoesNotAffectAnother() async throws {
    let hanging = try HangingVerification(at: .complete)
    let first = Task { try await hanging.verifier.verify(phoneNumber: Simulator.number) }
    await hanging.waitUntilHanging()
    let second = Task { try await hanging.verifier.verify(phoneNumber: Simulator.number) }
    await hanging.waitUntilHanging()
    await expectCancellation(of: first)
    #expect(await hanging.phone.counts == Loopback.Counts(acquired: 1, released: 0))
    await expectCancellation(of: second)
    await hanging.expectReleasedOnce()
  }

  @Test func cancellingAPreparationStopsWaiting() async throws {
    let phone = Loopback(.neverReturns)
    let verifier = try NumberVerifier(phone) { $0.setOneHourDeadlines() }
    let task = Task { try await verifier.prepare() }
    await phone.waitUntilAcquired()
    await expectCancellation(of: task)
    #expect(await phone.counts == Loopback.Counts(acquired: 1, released: 0))
  }

  @Test func runningVerificationOutlivesItsVerifier() async throws {
    let (reached, proceed) = (Signal(), Signal())
    let backend = ScriptedBackend(
      start: { _ in AuthorizationStart(authURL: Simulator.shared.authURL(operator: "a", state: "s")) },
      complete: { _ in
        reached.send()
        await proceed.wait()
        return #"{"verified":true}"#
      })
    let phone = Loopback()
    let progress = try NumberVerifier(phone, backend: backend).verifying(phoneNumber: Simulator.number)
    let task = Task { () -> Bool in
      for try await event in progress { if case .done(let verification) = event { return verification.verified } }
      return false
    }
    await reached.wait()
    proceed.send()
    #expect(try await task.value)
    await phone.waitUntilReleased()
  }

  private func expectCancellation<Value: Sendable>(of task: Task<Value, any Error>) async {
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }
}

/// A verification in which one step never completes.
private struct HangingVerification {
  let verifier: NumberVerifier
  let phone: Loopback
  private let step: Step
  private let reached = Signal()
  private let server: TestServer

  init(at step: Step) throws {
    self.step = step
    phone = Loopback(step == .acquire ? .neverReturns : .succeeds)
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
      $0.setOneHourDeadlines()
      if step == .authorize {
        $0.development.resolve.removeAll { $0.hasPrefix(TestServer.host) }
        $0.development.resolve.append(resolve)
      }
    }
  }

  func waitUntilHanging() async {
    await phone.waitUntilAcquired()
    switch step {
    case .start, .complete: await reached.wait()
    case .acquire: break
    case .authorize: await server.reached.wait()
    }
  }

  func expectReleasedOnce() async {
    await phone.waitUntilReleased()
  }
}
