import Foundation
import Network
import NumberVerify
import Testing

extension NetworkEvents {
  fileprivate static let ignored = NetworkEvents { _ in }
}

/// `AppleCellularProvider` on a stub of Network.framework.
@Suite(.timeLimit(.minutes(1)))
struct AppleCellularProviderTests {
  private static let available = NWPath(.satisfied, [.cellular])
  private static let dormant = NWPath(.requiresConnection, [.cellular])
  private static let unavailable = NWPath(.unsatisfied)
  private static let denied = NWPath(.unsatisfied, because: .cellularDenied)

  @Test func acquireReturnsTheInterfaceOfTheFirstPathUpdate() async throws {
    try await withWorld { world in
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
  func acquireFailsImmediatelyIfASettingBlocksCellular(path: NWPath, cause: CellularCause) async throws {
    try await withWorld { world in
      let provider = AppleCellularProvider(host: "api.test", waitMs: 3_600_000)
      let acquired = Task { try await provider.acquire(events: .ignored) }
      try await world.started().send(path)
      await #expect(throws: CellularError(cause)) { try await acquired.value }
      #expect(world.cancelled == [1, 1])
      await provider.release()
      #expect(world.cancelled == [1, 1])
    }
  }

  @Test func acquireWaitsForAnUnavailableNetwork() async throws {
    try await withWorld { world in
      let provider = AppleCellularProvider(host: "api.test", waitMs: 3_600_000)
      let acquired = Task { try await provider.acquire(events: .ignored) }
      let monitor = try await world.started()
      monitor.send(Self.unavailable)
      world.all.connections[0].send(.waiting(.posix(50)))
      monitor.send(NWPath(.satisfied))
      monitor.send(Self.available)
      #expect(try await acquired.value == .appleInterface(index: 7))
      await provider.release()
      #expect(world.cancelled == [1, 1])
    }
  }

  /// A socket cannot activate it: it is available when the monitor or the connection reports it.
  @Test(arguments: [true, false]) func connectionActivatesADormantNetwork(monitorReportsFirst: Bool) async throws {
    try await withWorld { world in
      let provider = AppleCellularProvider(host: "api.test", waitMs: 3_600_000)
      let acquired = Task { try await provider.acquire(events: .ignored) }
      let monitor = try await world.started()
      monitor.send(Self.dormant)
      world.all.connections[0].send(.preparing)
      if monitorReportsFirst {
        monitor.send(Self.available)
      } else {
        world.all.connections[0].send(.ready, currentPath: Self.available)
      }
      #expect(try await acquired.value == .appleInterface(index: 7))
      await provider.release()
    }
  }

  @Test(arguments: [
    (denied, CellularCause.dataOff), (unavailable, .interfaceDown), (NWPath(.satisfied, [.wifi]), .interfaceDown),
    (NWPath(.unsatisfied, because: .vpnInactive), .vpn),
  ])
  func lossInUseIsReportedOnce(path: NWPath, cause: CellularCause) async throws {
    try await withWorld { world in
      world.atStart(path: Self.available)
      let (losses, continuation) = AsyncStream.makeStream(of: CellularCause.self)
      let provider = AppleCellularProvider(host: "api.test")
      _ = try await provider.acquire(events: NetworkEvents { continuation.yield($0) })
      for path in [Self.available, Self.dormant, path, Self.available, path] { world.all.cellular[0].send(path) }
      await provider.release()
      #expect(world.cancelled == [1, 1])
      continuation.finish()
      #expect(await losses.reduce(into: []) { $0.append($1) } == [cause])
    }
  }

  /// Nothing else keeps the network active during a verification.
  @Test func connectionIsMaintainedWhileTheNetworkIsInUse() async throws {
    try await withWorld { world in
      world.atStart(path: Self.available)
      let provider = AppleCellularProvider(host: "api.test")
      _ = try await provider.acquire(events: .ignored)
      world.all.connections[0].send(.waiting(.posix(50)))
      world.all.cellular[0].send(Self.available)
      try await world.until { $0.connections[0].callCounts.restarted == 1 }
      world.all.connections[0].send(.failed(.posix(50)))
      try await world.until { $0.connections.count == 2 && $0.connections[1].callCounts.started == 1 }
      world.all.connections[1].send(.failed(.posix(50)))
      await provider.release()
      #expect(world.all.connections.map(\.callCounts.cancelled) == [1, 1])
    }
  }

  @Test(arguments: [
    (NWPath?.none, nil, CellularCause.timeout), (dormant, nil, .interfaceDown), (unavailable, nil, .noInterface),
    (nil, NWConnection.State.failed(.posix(50)), .interfaceDown),
    (NWPath(.satisfied, [.wifi]), .waiting(.posix(50)), .noInterface),
  ])
  func acquireTimeoutReportsTheLastKnownCause(path: NWPath?, connection: NWConnection.State?, cause: CellularCause) async throws {
    try await withWorld { world in
      world.atStart(path: path, connection: connection)
      let provider = AppleCellularProvider(host: "api.test", waitMs: 1)
      await #expect(throws: CellularError(cause)) { try await provider.acquire(events: .ignored) }
      #expect(world.cancelled == [1, 1])
    }
  }

  @Test func cancelledAcquireThrowsCancellationError() async throws {
    try await withWorld { world in
      let provider = AppleCellularProvider(host: "api.test", waitMs: 3_600_000)
      let acquired = Task { try await provider.acquire(events: .ignored) }
      let monitor = try await world.started()
      acquired.cancel()
      await #expect(throws: CancellationError.self) { try await acquired.value }
      await provider.release()
      monitor.send(Self.available)
      #expect(world.cancelled == [1, 1])
    }
  }

  @Test func acquireInACancelledTaskStartsNothing() async throws {
    try await withWorld { world in
      let provider = AppleCellularProvider(host: "api.test")
      let acquired = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        return try await provider.acquire(events: .ignored)
      }
      await #expect(throws: CancellationError.self) { try await acquired.value }
      await provider.release()
      #expect(world.all.cellular.allSatisfy { $0.callCounts == .init() })
    }
  }

  @Test func networkCanBeReacquiredAfterRelease() async throws {
    try await withWorld { world in
      world.atStart(path: Self.available)
      let provider = AppleCellularProvider(host: "api.test")
      for _ in 1...3 {
        _ = try await provider.acquire(events: .ignored)
        await provider.release()
      }
      #expect(world.cancelled == [1, 1, 1, 1, 1, 1])
    }
  }

  @Test(arguments: [
    (available, NWPath(.satisfied, [.wifi]), CellularStatus.wifiActive), (available, available, .ready),
    (denied, available, .unavailable(.dataOff)),
    (unavailable, NWPath(.satisfied, [.wifi]), .unavailable(.noInterface)), (dormant, NWPath(.satisfied, [.wifi]), .wifiActive),
  ])
  func statusOpensNoConnection(cellular: NWPath, any: NWPath, status: CellularStatus) async throws {
    try await withWorld { world in
      let request = Task { await AppleCellularProvider(host: "api.test").status() }
      try await world.started().send(cellular)
      try await world.until { $0.anyNetwork.first?.callCounts.started == 1 }
      world.all.anyNetwork[0].send(any)
      #expect(await request.value == status)
      #expect(world.all.connections.isEmpty)
      #expect((world.all.cellular + world.all.anyNetwork).allSatisfy { $0.callCounts == .init(started: 1, cancelled: 1) })
    }
  }

  private func withWorld(_ test: @Sendable (Stub.World) async throws -> Void) async throws {
    let world = Stub.World()
    try await Stub.$world.withValue(world) { try await test(world) }
  }
}
