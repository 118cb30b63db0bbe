import Network

extension Stub.World {
  /// The cellular monitor of this round, as soon as it runs.
  func started(_ round: Int = 1) async throws -> Stub.Monitor {
    try await until { $0.cellular.count == round && $0.cellular[round - 1].seen.started == 1 }
    try await until { $0.connections.allSatisfy { $0.seen.started == 1 } }
    return all.cellular[round - 1]
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
