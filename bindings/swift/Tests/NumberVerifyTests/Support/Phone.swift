import NumberVerify

/// A phone whose cellular network is the loopback interface. Counts how often it is brought up and let go.
actor Loopback: CellularProvider {
  enum Habit: Sendable {
    case comesUp, neverComesUp
    case fails(any Error)
  }

  struct Counts: Equatable {
    var acquired = 0
    var released = 0
  }

  private(set) var counts = Counts()
  private let habit: Habit
  private let binding: NetworkBinding
  private var waiting: [(condition: (Counts) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []

  init(_ habit: Habit = .comesUp, binding: NetworkBinding = .linuxInterface(name: "lo")) {
    self.habit = habit
    self.binding = binding
  }

  func acquire() async throws -> NetworkBinding {
    counts.acquired += 1
    tell()
    switch habit {
    case .comesUp: return binding
    case .neverComesUp: return try await untilCancelled()
    case .fails(let error): throw error
    }
  }

  func release() {
    counts.released += 1
    tell()
  }

  func status() -> CellularStatus { .wifiActive }

  func isAcquired() async { await wait { $0.acquired > $0.released } }

  func isReleased() async { await wait { $0.acquired == $0.released } }

  private func wait(until condition: @escaping (Counts) -> Bool) async {
    if condition(counts) { return }
    await withCheckedContinuation { waiting.append((condition, $0)) }
  }

  private func tell() {
    let told = waiting.filter { $0.condition(counts) }
    waiting.removeAll { $0.condition(counts) }
    for waiter in told { waiter.continuation.resume() }
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
