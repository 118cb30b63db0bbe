import NumberVerify

/// A phone whose cellular network is the loopback interface. Counts how often it is brought up and let go.
actor Loopback: CellularProvider {
  enum Behavior: Sendable {
    case comesUp, neverComesUp
    case comesUpAfter(Signal)
    case fails(any Error)
    /// The first time only.
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

  init(_ behavior: Behavior = .comesUp, binding: NetworkBinding = .linuxInterface(name: "lo")) {
    self.behavior = behavior
    self.binding = binding
  }

  func acquire(events: NetworkEvents) async throws -> NetworkBinding {
    counts.acquired += 1
    self.events = events
    tell()
    switch behavior {
    case .comesUp: return binding
    case .neverComesUp: return try await untilCancelled()
    case .comesUpAfter(let signal):
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
    tell()
  }

  func status() -> CellularStatus { .wifiActive }

  func isAcquired() async { await wait { $0.acquired > $0.released } }

  /// After so many acquisitions, each with its release; the test's time limit is for what never comes.
  func isReleased(times: Int = 1) async { await wait { $0 == Counts(acquired: times, released: times) } }

  /// However often it was acquired.
  func isNotHeld() async { await wait { $0.acquired == $0.released } }

  /// Returns as well when the test's time limit cancels its task, which has then recorded that.
  private func wait(until isSo: (Counts) -> Bool) async {
    let (changes, watcher) = AsyncStream.makeStream(of: Counts.self)
    watchers.append(watcher)
    watcher.yield(counts)
    for await counts in changes where isSo(counts) { return }
  }

  private func tell() {
    for watcher in watchers { watcher.yield(counts) }
  }
}

/// Never returns; throws when its task is cancelled.
func untilCancelled<Value>() async throws -> Value {
  let (never, continuation) = AsyncStream.makeStream(of: Never.self)
  for await _ in never {}
  continuation.finish()
  throw CancellationError()
}

/// A backend of the test's: each call is a closure.
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

  /// One whose auth URL is this.
  init(authURL: String) {
    self.init(start: { _ in AuthorizationStart(authURL: authURL) })
  }

  func start(_ request: StartRequest) async throws -> AuthorizationStart { try await start(request) }

  func complete(_ request: CompletionRequest) async throws -> String { try await complete(request) }
}

/// Something that happens once, for one who waits.
struct Signal: Sendable {
  private let stream: AsyncStream<Void>
  private let continuation: AsyncStream<Void>.Continuation

  init() {
    (stream, continuation) = AsyncStream.makeStream()
  }

  func send() { continuation.yield() }

  func wait() async { _ = await stream.first { true } }
}

/// What a call throws; `nil` where it returns.
func thrown(by call: () async throws -> Any) async -> (any Error)? {
  do {
    _ = try await call()
    return nil
  } catch {
    return error
  }
}
