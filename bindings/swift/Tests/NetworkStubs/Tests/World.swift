import Network

extension Stub.World {
  /// Waits until the cellular monitor and the connections are started; returns the monitor.
  func started() async throws -> Stub.Monitor {
    try await until { $0.cellular.first?.callCounts.started == 1 }
    try await until { $0.connections.allSatisfy { $0.callCounts.started == 1 } }
    return all.cellular[0]
  }

  /// The number of cancellations of each monitor and connection.
  var cancelled: [Int] { all.cellular.map(\.callCounts.cancelled) + all.connections.map(\.callCounts.cancelled) }

  /// Polls until the condition is true or the test times out.
  func until(_ condition: (Objects) -> Bool) async throws {
    while !condition(all) {
      try Task.checkCancellation()
      await Task.yield()
    }
  }
}
