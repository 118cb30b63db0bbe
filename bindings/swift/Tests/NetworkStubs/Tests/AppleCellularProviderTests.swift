import Foundation
import Network
import NumberVerify
import Testing

extension NetworkEvents {
  fileprivate static let ignored = NetworkEvents { _ in }
}

/// The provider for Apple systems, over a Network.framework that the test drives.
@Suite(.timeLimit(.minutes(1)))
struct AppleCellularProviderTests {
  private static let there = NWPath(.satisfied, [.cellular])
  private static let asleep = NWPath(.requiresConnection, [.cellular])
  private static let notThere = NWPath(.unsatisfied)
  private static let denied = NWPath(.unsatisfied, because: .cellularDenied)

  @Test func theInterfaceIsTheMonitorsFirstWord() async throws {
    try await inAWorld { world in
      world.atStart(path: NWPath(.satisfied, [.wifi, .cellular]))
      let provider = AppleCellularProvider(host: "api.test")
      let binding = try await provider.acquire(events: .ignored)
      #expect(binding == .appleInterface(index: 7))
      #expect(world.all.endpoints == ["api.test:443 over cellular"])
      #expect(world.cancelled == [0, 0])
      await provider.release()
      #expect(world.cancelled == [1, 1])
      await provider.release()
      #expect(world.cancelled == [1, 1])
    }
  }

  @Test(arguments: [
    (denied, CellularCause.dataOff), (NWPath(.unsatisfied, because: .vpnInactive), .vpn),
  ])
  func aSettingThatSaysNoIsSaidAtOnce(path: NWPath, cause: CellularCause) async throws {
    try await inAWorld { world in
      let provider = AppleCellularProvider(host: "api.test", waitMs: 3_600_000)
      let acquired = Task { try await provider.acquire(events: .ignored) }
      try await world.started().send(path)
      await #expect(throws: CellularError(cause)) { try await acquired.value }
      #expect(world.cancelled == [1, 1])
      await provider.release()
      #expect(world.cancelled == [1, 1])
    }
  }

  @Test func aNetworkThatIsNotThereIsWaitedFor() async throws {
    try await inAWorld { world in
      let provider = AppleCellularProvider(host: "api.test", waitMs: 3_600_000)
      let acquired = Task { try await provider.acquire(events: .ignored) }
      let monitor = try await world.started()
      monitor.send(Self.notThere)
      world.all.connections[0].send(.waiting(.posix(50)))
      monitor.send(NWPath(.satisfied))
      monitor.send(Self.there)
      #expect(try await acquired.value == .appleInterface(index: 7))
      await provider.release()
      #expect(world.cancelled == [1, 1])
    }
  }

  /// A socket cannot wake it: it is there when the monitor or the connection says so.
  @Test(arguments: [true, false]) func aSleepingNetworkIsWokenByTheConnection(theMonitorKnowsFirst: Bool) async throws {
    try await inAWorld { world in
      let provider = AppleCellularProvider(host: "api.test", waitMs: 3_600_000)
      let acquired = Task { try await provider.acquire(events: .ignored) }
      let monitor = try await world.started()
      monitor.send(Self.asleep)
      world.all.connections[0].send(.preparing)
      if theMonitorKnowsFirst {
        monitor.send(Self.there)
      } else {
        world.all.connections[0].send(.ready, currentPath: Self.there)
      }
      #expect(try await acquired.value == .appleInterface(index: 7))
      await provider.release()
    }
  }

  @Test(arguments: [
    (denied, CellularCause.dataOff), (notThere, .interfaceDown), (NWPath(.satisfied, [.wifi]), .interfaceDown),
    (NWPath(.unsatisfied, because: .vpnInactive), .vpn),
  ])
  func aLossInUseIsReportedOnce(path: NWPath, cause: CellularCause) async throws {
    try await inAWorld { world in
      world.atStart(path: Self.there)
      let (losses, continuation) = AsyncStream.makeStream(of: CellularCause.self)
      let provider = AppleCellularProvider(host: "api.test")
      _ = try await provider.acquire(events: NetworkEvents { continuation.yield($0) })
      for path in [Self.there, Self.asleep, path, Self.there, path] { world.all.cellular[0].send(path) }
      await provider.release()
      #expect(world.cancelled == [1, 1])
      continuation.finish()
      #expect(await losses.reduce(into: []) { $0.append($1) } == [cause])
    }
  }

  /// Nothing else keeps the network awake for the time of a verification.
  @Test func theConnectionIsKeptAliveWhileTheNetworkIsInUse() async throws {
    try await inAWorld { world in
      world.atStart(path: Self.there)
      let provider = AppleCellularProvider(host: "api.test")
      _ = try await provider.acquire(events: .ignored)
      world.all.connections[0].send(.waiting(.posix(50)))
      world.all.cellular[0].send(Self.there)
      try await world.until { $0.connections[0].seen.restarted == 1 }
      world.all.connections[0].send(.failed(.posix(50)))
      try await world.until { $0.connections.count == 2 && $0.connections[1].seen.started == 1 }
      world.all.connections[1].send(.failed(.posix(50)))
      await provider.release()
      #expect(world.all.connections.map(\.seen.cancelled) == [1, 1])
    }
  }

  @Test(arguments: [
    (NWPath?.none, nil, CellularCause.timeout), (asleep, nil, .interfaceDown), (notThere, nil, .noInterface),
    (nil, NWConnection.State.failed(.posix(50)), .interfaceDown),
    (NWPath(.satisfied, [.wifi]), .waiting(.posix(50)), .noInterface),
  ])
  func afterTheDeadlineWhatIsKnownIsSaid(path: NWPath?, connection: NWConnection.State?, cause: CellularCause) async throws {
    try await inAWorld { world in
      world.atStart(path: path, connection: connection)
      let provider = AppleCellularProvider(host: "api.test", waitMs: 1)
      await #expect(throws: CellularError(cause)) { try await provider.acquire(events: .ignored) }
      #expect(world.cancelled == [1, 1])
    }
  }

  @Test func acquireEndsWhenItIsCancelled() async throws {
    try await inAWorld { world in
      let provider = AppleCellularProvider(host: "api.test", waitMs: 3_600_000)
      let acquired = Task { try await provider.acquire(events: .ignored) }
      let monitor = try await world.started()
      acquired.cancel()
      await #expect(throws: CancellationError.self) { try await acquired.value }
      await provider.release()
      monitor.send(Self.there)
      #expect(world.cancelled == [1, 1])
    }
  }

  @Test func acquireDoesNotBeginWhenItIsCancelledBefore() async throws {
    try await inAWorld { world in
      let provider = AppleCellularProvider(host: "api.test")
      let acquired = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        return try await provider.acquire(events: .ignored)
      }
      await #expect(throws: CancellationError.self) { try await acquired.value }
      await provider.release()
      #expect(world.all.cellular.allSatisfy { $0.seen == .init() })
    }
  }

  @Test func itCanBeAcquiredAgain() async throws {
    try await inAWorld { world in
      world.atStart(path: Self.there)
      let provider = AppleCellularProvider(host: "api.test")
      for _ in 1...3 {
        _ = try await provider.acquire(events: .ignored)
        await provider.release()
      }
      #expect(world.cancelled == [1, 1, 1, 1, 1, 1])
    }
  }

  @Test(arguments: [
    (there, NWPath(.satisfied, [.wifi]), CellularStatus.wifiActive), (there, there, .ready), (denied, there, .unavailable(.dataOff)),
    (notThere, NWPath(.satisfied, [.wifi]), .unavailable(.noInterface)), (asleep, NWPath(.satisfied, [.wifi]), .wifiActive),
  ])
  func theStatusSendsNothing(cellular: NWPath, any: NWPath, status: CellularStatus) async throws {
    try await inAWorld { world in
      let request = Task { await AppleCellularProvider(host: "api.test").status() }
      try await world.started().send(cellular)
      try await world.until { $0.anyNetwork.first?.seen.started == 1 }
      world.all.anyNetwork[0].send(any)
      #expect(await request.value == status)
      #expect(world.all.connections.isEmpty)
      #expect((world.all.cellular + world.all.anyNetwork).allSatisfy { $0.seen == .init(started: 1, cancelled: 1) })
    }
  }

  private func inAWorld(_ test: @Sendable (Stub.World) async throws -> Void) async throws {
    let world = Stub.World()
    try await Stub.$world.withValue(world) { try await test(world) }
  }
}
