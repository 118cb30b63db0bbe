public import NumberVerify

/// A fake `NumberVerifying` for unit tests of apps. Returns the results that the test has enqueued
/// and records the calls. Uses no network. Thread-safe.
///
/// ```swift
/// let verifier = FakeNumberVerifier()
/// verifier.enqueue(verified: true)
/// verifier.enqueue(error: VerifyError(.cellularUnavailable(.dataOff), fallback: .askToEnableMobileData))
/// ```
///
/// Each call of ``verify(phoneNumber:options:)`` or ``retrieve(options:)`` and each iteration of
/// ``verifying(phoneNumber:options:)`` or ``retrieving(options:)`` consumes the next result. Throws
/// ``NothingEnqueued`` if there is none or if it is of the other kind. Throws `CancellationError`
/// if the task was cancelled.
public final class FakeNumberVerifier: NumberVerifying {
  private let state = Locked(State())

  /// Creates a fake without results.
  public init() {}

  /// The calls, in order.
  public var calls: [Call] { state.value { $0.calls } }

  /// The number of calls of ``prepare()``.
  public var prepareCount: Int { state.value { $0.prepareCount } }

  /// The value that ``check()`` returns. Defaults to `ready`.
  public var status: CellularStatus {
    get { state.value { $0.status } }
    set { state.value { $0.status = newValue } }
  }

  /// The error that ``prepare()`` throws. Defaults to `nil`: it succeeds.
  public var prepareError: VerifyError? {
    get { state.value { $0.prepareError } }
    set { state.value { $0.prepareError = newValue } }
  }

  /// Enqueues the result of a verification.
  ///
  /// - Parameters:
  ///   - verification: the result to return.
  ///   - progress: the events that ``verifying(phoneNumber:options:)`` emits before the result.
  ///     Defaults to none.
  ///   - delayMs: the duration of the call in milliseconds. Defaults to 0.
  public func enqueue(_ verification: Verification, progress: [NumberVerifier.Progress] = [], delayMs: Int = 0) {
    enqueue(.success(.verification(verification)), progress, delayMs)
  }

  /// Enqueues a result with this value of `verified`.
  public func enqueue(verified: Bool, progress: [NumberVerifier.Progress] = [], delayMs: Int = 0) {
    enqueue(Verification(verified: verified), progress: progress, delayMs: delayMs)
  }

  /// Enqueues the result of a retrieval.
  ///
  /// - Parameters:
  ///   - number: the result to return.
  ///   - progress: the events that ``retrieving(options:)`` emits before the result. Defaults to
  ///     none.
  ///   - delayMs: the duration of the call in milliseconds. Defaults to 0.
  public func enqueue(_ number: RetrievedNumber, progress: [NumberVerifier.Progress] = [], delayMs: Int = 0) {
    enqueue(.success(.number(number)), progress, delayMs)
  }

  /// Enqueues the result of a retrieval with this phone number.
  public func enqueue(phoneNumber: String, progress: [NumberVerifier.Progress] = [], delayMs: Int = 0) {
    enqueue(RetrievedNumber(phoneNumber: phoneNumber), progress: progress, delayMs: delayMs)
  }

  /// Enqueues an error of a verification or a retrieval.
  public func enqueue(error: VerifyError, progress: [NumberVerifier.Progress] = [], delayMs: Int = 0) {
    enqueue(.failure(error), progress, delayMs)
  }

  private func enqueue(_ result: Result<Outcome, VerifyError>, _ progress: [NumberVerifier.Progress], _ delayMs: Int) {
    state.value { $0.results.append(Canned(result: result, progress: progress, delayMs: delayMs)) }
  }

  /// Suspends all subsequent calls, after their progress and delay, until ``release()``. For tests
  /// of a loading state.
  public func hold() {
    state.value { $0.isHolding = true }
  }

  /// Waits until a call is suspended by ``hold()``, or until the task is cancelled.
  public func waitForHeldCall() async {
    let reached = state.value { state in
      let (reached, continuation) = AsyncStream.makeStream(of: Never.self)
      if state.held.isEmpty { state.observers.append(continuation) } else { continuation.finish() }
      return reached
    }
    for await _ in reached {}
  }

  /// Resumes the calls suspended by ``hold()``.
  public func release() {
    let held = state.value { state in
      defer { state.held = [:] }
      state.isHolding = false
      return state.held.values
    }
    for continuation in held { continuation.finish() }
  }

  /// Returns the next result, or throws the next error.
  public func verify(phoneNumber: String, options: (inout VerificationOptions) -> Void) async throws -> Verification {
    try await run(Call(phoneNumber, VerificationOptions(options)), \.verification) { _ in }
  }

  /// Returns a sequence. Each iteration emits the progress of the next result, then the result.
  public func verifying(phoneNumber: String, options: (inout VerificationOptions) -> Void) -> NumberVerifier.ProgressSequence {
    let call = Call(phoneNumber, VerificationOptions(options))
    return NumberVerifier.ProgressSequence { [self] emit in try await run(call, \.verification, emit) }
  }

  /// Returns the next number, or throws the next error.
  public func retrieve(options: (inout VerificationOptions) -> Void) async throws -> RetrievedNumber {
    try await run(Call(nil, VerificationOptions(options)), \.number) { _ in }
  }

  /// Returns a sequence. Each iteration emits the progress of the next number, then the number.
  public func retrieving(options: (inout VerificationOptions) -> Void) -> NumberVerifier.ProgressSequence {
    let call = Call(nil, VerificationOptions(options))
    return NumberVerifier.ProgressSequence(retrieval: { [self] emit in try await run(call, \.number, emit) })
  }

  /// Returns ``status``.
  public func check() async -> CellularStatus { status }

  /// Throws ``prepareError`` if it is not `nil`. Throws `CancellationError` if the task was
  /// cancelled.
  public func prepare() async throws {
    try Task.checkCancellation()
    state.value { $0.prepareCount += 1 }
    if let error = prepareError { throw error }
  }

  private func run<Value: Sendable>(
    _ call: Call, _ value: (Outcome) -> Value?, _ emit: (NumberVerifier.Progress) -> Void
  ) async throws -> Value {
    try Task.checkCancellation()
    let (index, canned, result) = try state.value { state in
      state.calls.append(call)
      guard let next = state.results.first, let result = next.result(value) else { throw NothingEnqueued() }
      state.results.removeFirst()
      return (state.calls.count, next, result)
    }
    for event in canned.progress { emit(event) }
    try await Task.sleep(nanoseconds: UInt64(clamping: canned.delayMs) * 1_000_000)
    await waitWhileHeld(index)
    try Task.checkCancellation()
    return try result.get()
  }

  /// Also returns if the task is cancelled.
  private func waitWhileHeld(_ call: Int) async {
    let (released, continuation) = AsyncStream.makeStream(of: Never.self)
    let observers = state.value { state in
      guard state.isHolding else {
        continuation.finish()
        return [AsyncStream<Never>.Continuation]()
      }
      defer { state.observers = [] }
      state.held[call] = continuation
      return state.observers
    }
    for observer in observers { observer.finish() }
    for await _ in released {}
    state.value { $0.held[call] = nil }
  }
}

extension FakeNumberVerifier {
  /// The arguments of a call. Its `description` contains neither the number nor an option.
  public struct Call: Sendable, Equatable {
    private let number: String?

    /// The options. Compare them with `call.options == VerificationOptions {
    /// $0.setHeader("Authorization", token) }`.
    public let options: VerificationOptions

    init(_ number: String?, _ options: VerificationOptions) {
      self.number = number
      self.options = options
    }

    /// The phone number as passed by the app; `nil` for a retrieval.
    public func phoneNumber() -> String? { number }
  }

  /// Thrown by a call if no result is enqueued, or the next one is of the other kind.
  public struct NothingEnqueued: Error, Sendable, Equatable {}
}

extension FakeNumberVerifier.Call: CustomStringConvertible, CustomReflectable {
  /// The name of the type.
  public var description: String { "Call" }

  /// A mirror without children, so that `dump` prints neither the number nor an option.
  public var customMirror: Mirror { Mirror(self, children: []) }
}

extension FakeNumberVerifier: CustomStringConvertible, CustomReflectable {
  /// The name of the type.
  public var description: String { "FakeNumberVerifier" }

  /// A mirror without children, as for ``Call``.
  public var customMirror: Mirror { Mirror(self, children: []) }
}

private enum Outcome {
  case verification(Verification)
  case number(RetrievedNumber)

  var verification: Verification? { if case .verification(let verification) = self { verification } else { nil } }

  var number: RetrievedNumber? { if case .number(let number) = self { number } else { nil } }
}

private struct Canned {
  let result: Result<Outcome, VerifyError>
  let progress: [NumberVerifier.Progress]
  let delayMs: Int

  /// Returns `nil` if the result is of the other kind.
  func result<Value>(_ value: (Outcome) -> Value?) -> Result<Value, VerifyError>? {
    switch result {
    case .success(let outcome): value(outcome).map { .success($0) }
    case .failure(let error): .failure(error)
    }
  }
}

private struct State {
  var results: [Canned] = []
  var calls: [FakeNumberVerifier.Call] = []
  var status = CellularStatus.ready
  var prepareError: VerifyError?
  var prepareCount = 0
  var isHolding = false
  /// The suspended calls, by index.
  var held: [Int: AsyncStream<Never>.Continuation] = [:]
  /// The callers of `waitForHeldCall()`.
  var observers: [AsyncStream<Never>.Continuation] = []
}
