import Foundation
import NumberVerify
import Testing

/// Many concurrent and many sequential verifications. Serialized, because threads and memory are
/// measured.
@Suite(.serialized, .timeLimit(.minutes(15)))
struct LoadTests {
  @Test func thousandConcurrentTasksComplete() async throws {
    let phone = Loopback()
    // One hour, because one simulator serves all of them.
    let verifier = try NumberVerifier(phone) { $0.setOneHourDeadlines() }
    let outcomes = await withTaskGroup(of: (Int, Outcome).self) { group in
      for number in 0..<1000 {
        group.addTask { (number, await outcome(of: verifier, number)) }
      }
      return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
    #expect(outcomes.count == 1000)
    for (number, outcome) in outcomes {
      #expect(outcome == Self.expected(number), "task \(number)")
    }
    await phone.waitUntilNotHeld()
  }

  enum Outcome: Equatable { case verified, notVerified, invalid, cancelled, failed(String) }

  /// Every kind of outcome, interleaved.
  private static func expected(_ number: Int) -> Outcome {
    switch number % 4 {
    case 0: .verified
    case 1: .notVerified
    case 2: .invalid
    default: .cancelled
    }
  }

  private func outcome(of verifier: NumberVerifier, _ number: Int) async -> Outcome {
    let input = [Simulator.number, Simulator.otherNumber, "nonsense", Simulator.number][number % 4]
    let task = Task { try await verifier.verify(phoneNumber: input) }
    if number % 4 == 3 { task.cancel() }
    do {
      return try await task.value.verified ? .verified : .notVerified
    } catch is CancellationError {
      return .cancelled
    } catch let error as VerifyError where error.kind == .invalidPhoneNumber {
      return .invalid
    } catch {
      return .failed("\(error)")
    }
  }

  /// All methods of a verifier from many tasks, in random order: each call completes with a
  /// permitted outcome, and the network is released as often as it was acquired.
  @Test func randomCallOrderCompletes() async throws {
    let phone = Loopback()
    try await callInAnyOrder(NumberVerifier(phone) { $0.setOneHourDeadlines() })
    // The last reference is released, so `prepare()` no longer holds the network.
    await phone.waitUntilNotHeld()
    let counts = await phone.counts
    #expect(counts.acquired > 0)
    #expect(counts.released == counts.acquired)
  }

  private func callInAnyOrder(_ verifier: NumberVerifier) async {
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<32 {
        group.addTask {
          for _ in 0..<25 {
            guard let call = Call.allCases.randomElement() else { return }
            await #expect(throws: Never.self, "\(call)") { try await run(call, verifier) }
          }
        }
      }
    }
  }

  private enum Call: CaseIterable { case verify, verifyAndCancel, collectAndLeave, prepare, prepareAndCancel, check, forgetHosts }

  private func run(_ call: Call, _ verifier: NumberVerifier) async throws {
    switch call {
    case .verify: #expect(try await verifier.verify(phoneNumber: Simulator.number).verified)
    case .verifyAndCancel: try await cancelled { _ = try await verifier.verify(phoneNumber: Simulator.number) }
    case .collectAndLeave: for try await _ in verifier.verifying(phoneNumber: Simulator.otherNumber) where Bool.random() { return }
    case .prepare: try await verifier.prepare()
    case .prepareAndCancel: try await cancelled { try await verifier.prepare() }
    case .check: _ = await verifier.check()
    case .forgetHosts: verifier.forgetHosts()
    }
  }

  /// Cancels the call after a random number of yields, unless it has completed.
  private func cancelled(_ call: @escaping @Sendable () async throws -> Void) async throws {
    let task = Task { try await call() }
    for _ in 0..<Int.random(in: 0..<200) { await Task.yield() }
    task.cancel()
    do { try await task.value } catch is CancellationError {}
  }

  @Test func droppedVerifiersLeakNothing() async throws {
    try await createAndDrop(20)
    let before = try Process.now()
    try await createAndDrop(100)
    let between = try await Process.settled(at: before)
    try await createAndDrop(100)
    let after = try await Process.settled(at: before)
    // A verifier has a TLS configuration and a thread: a leaked one is more than 100 KB.
    #expect(after.residentKB - between.residentKB < 4_000)
  }

  private func createAndDrop(_ count: Int) async throws {
    for number in 1...count {
      let phone = Loopback()
      let verifier = try NumberVerifier(phone)
      if number.isMultiple(of: 4) {
        #expect(try await verifier.verify(phoneNumber: Simulator.number).verified)
      } else if number.isMultiple(of: 2) {
        let task = Task { try await verifier.verify(phoneNumber: Simulator.number) }
        await phone.waitUntilAcquired()
        task.cancel()
        _ = await task.result
      }
      await phone.waitUntilNotHeld()
    }
  }
}

/// Resource usage of this process, from `/proc`.
private struct Process {
  let threads: Int
  let files: Int
  let residentKB: Int

  static func now() throws -> Process {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    func value(_ name: String) throws -> Int {
      let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("\(name):") })
      return try #require(Int(line.filter(\.isNumber)))
    }
    let files = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    return Process(threads: try value("Threads"), files: files, residentKB: try value("VmRSS"))
  }

  /// Polls until there are no more threads and open files than before, or the test times out. They
  /// are released shortly after the last verification.
  static func settled(at before: Process) async throws -> Process {
    while true {
      let now = try now()
      if now.threads <= before.threads && now.files <= before.files { return now }
      try Task.checkCancellation()
      await Task.yield()
    }
  }
}
