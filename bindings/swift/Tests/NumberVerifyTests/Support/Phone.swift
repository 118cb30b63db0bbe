import NumberVerify

/// A provider whose cellular network is the loopback interface. Counts acquires and releases.
actor Loopback: CellularProvider {
  enum Behavior: Sendable {
    case succeeds, neverReturns
    case succeedsAfter(Signal)
    case fails(any Error)
    /// On the first acquire only.
    case failsOnce(any Error)
  }

  struct Counts: Equatable {
    var acquired = 0
    var released = 0
  }

  private(set) var counts = Counts()
  /// Of the last acquire.
  private(set) var events: NetworkEvents?
  private let behavior: Behavior
  private let binding: NetworkBinding
  private var watchers: [AsyncStream<Counts>.Continuation] = []

  init(_ behavior: Behavior = .succeeds, binding: NetworkBinding = .linuxInterface(name: "lo")) {
    self.behavior = behavior
    self.binding = binding
  }

  func acquire(events: NetworkEvents) async throws -> NetworkBinding {
    counts.acquired += 1
    self.events = events
    notifyWatchers()
    switch behavior {
    case .succeeds: return binding
    case .neverReturns: return try await untilCancelled()
    case .succeedsAfter(let signal):
      await signal.wait()
      return binding
    case .fails(let error): throw error
    case .failsOnce(let error):
      if counts.acquired == 1 { throw error }
      return binding
    }
  }

  func release() {
    counts.released += 1
    notifyWatchers()
  }

  func status() -> CellularStatus { .wifiActive }

  func waitUntilAcquired() async { await wait { $0.acquired > $0.released } }

  /// Waits for this number of acquires and releases. The test's time limit bounds the wait.
  func waitUntilReleased(times: Int = 1) async { await wait { $0 == Counts(acquired: times, released: times) } }

  /// Waits until each acquire is released, whatever their number.
  func waitUntilNotHeld() async { await wait { $0.acquired == $0.released } }

  /// Also returns if the test's time limit cancels the task, which records the failure.
  private func wait(until condition: (Counts) -> Bool) async {
    let (changes, watcher) = AsyncStream.makeStream(of: Counts.self)
    watchers.append(watcher)
    watcher.yield(counts)
    for await counts in changes where condition(counts) { return }
  }

  private func notifyWatchers() {
    for watcher in watchers { watcher.yield(counts) }
  }
}

/// Suspends until the task is cancelled, then throws `CancellationError`.
func untilCancelled<Value>() async throws -> Value {
  let (never, continuation) = AsyncStream.makeStream(of: Never.self)
  for await _ in never {}
  continuation.finish()
  throw CancellationError()
}

/// A custom backend whose calls are closures.
struct ScriptedBackend: Backend {
  let start: @Sendable (StartRequest) async throws -> AuthorizationStart
  let complete: @Sendable (CompletionRequest) async throws -> String

  init(
    start: @escaping @Sendable (StartRequest) async throws -> AuthorizationStart,
    complete: @escaping @Sendable (CompletionRequest) async throws -> String = { _ in #"{"verified":true}"# }
  ) {
    self.start = start
    self.complete = complete
  }

  /// Creates a backend that returns this auth URL.
  init(authURL: String) {
    self.init(start: { _ in AuthorizationStart(authURL: authURL) })
  }

  func start(_ request: StartRequest) async throws -> AuthorizationStart { try await start(request) }

  func complete(_ request: CompletionRequest) async throws -> String { try await complete(request) }
}

/// A one-shot signal with one waiter.
struct Signal: Sendable {
  private let stream: AsyncStream<Void>
  private let continuation: AsyncStream<Void>.Continuation

  init() {
    (stream, continuation) = AsyncStream.makeStream()
  }

  func send() { continuation.yield() }

  func wait() async { _ = await stream.first { true } }
}

/// Returns the error that a call throws; `nil` if it succeeds.
func thrown(by call: () async throws -> Any) async -> (any Error)? {
  do {
    _ = try await call()
    return nil
  } catch {
    return error
  }
}
