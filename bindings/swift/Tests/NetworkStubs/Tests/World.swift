import Network

extension Stub.World {
  /// The cellular monitor, as soon as it runs.
  func started() async throws -> Stub.Monitor {
    try await until { $0.cellular.first?.seen.started == 1 }
    try await until { $0.connections.allSatisfy { $0.seen.started == 1 } }
    return all.cellular[0]
  }

  /// How often each monitor and connection was cancelled.
  var cancelled: [Int] { all.cellular.map(\.seen.cancelled) + all.connections.map(\.seen.cancelled) }

  /// Looks until it is so, or the test's time is over.
  func until(_ isSo: (Objects) -> Bool) async throws {
    while !isSo(all) {
      try Task.checkCancellation()
      await Task.yield()
    }
  }
}
