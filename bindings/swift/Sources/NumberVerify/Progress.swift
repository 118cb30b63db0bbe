internal import NumberVerifyCore

extension NumberVerifier {
  /// A progress event of a verification or retrieval; events are reported in order. Printing one
  /// discloses no secrets.
  /// `atMs`: milliseconds since the start.
  ///
  /// Later versions may add cases: use a `default` in a `switch`.
  public enum Progress: Sendable, Equatable {
    /// A step started. ``Step/start`` and ``Step/acquire`` run concurrently.
    case stepBegan(Step, atMs: Int)
    /// A step completed.
    case stepEnded(Step, atMs: Int)
    /// A host on the operator's side responded.
    case hopAnswered(Hop, atMs: Int)
    /// The verification has taken longer than ``NumberVerifier/Configuration/slowAfterMs`` and
    /// continues: offer the user another channel in addition. Emitted at most once.
    case slow(atMs: Int)
    /// The result of a verification. Always the last event.
    case done(Verification)
    /// The result of a retrieval. Always the last event.
    case retrieved(RetrievedNumber)
  }

  /// The progress of a verification or retrieval; see
  /// ``NumberVerifier/verifying(phoneNumber:options:)`` and
  /// ``NumberVerifier/retrieving(options:)``.
  public struct ProgressSequence: AsyncSequence, Sendable {
    /// The type of the elements.
    public typealias Element = Progress

    /// Runs one verification: emits progress and returns the result.
    public typealias Run = @Sendable (_ emit: @escaping @Sendable (Progress) -> Void) async throws -> Verification

    /// Runs one retrieval: emits progress and returns the number.
    public typealias Retrieval = @Sendable (_ emit: @escaping @Sendable (Progress) -> Void) async throws -> RetrievedNumber

    fileprivate typealias ToLast = @Sendable (_ emit: @escaping @Sendable (Progress) -> Void) async throws -> Progress

    private let run: ToLast

    /// Creates a sequence for a custom ``NumberVerifying``. Each iteration runs `run` in a task,
    /// which is cancelled when the iteration ends.
    public init(_ run: @escaping Run) {
      self.run = { emit in .done(try await run(emit)) }
    }

    /// Creates a sequence as ``init(_:)`` does, for a retrieval.
    public init(retrieval: @escaping Retrieval) {
      run = { emit in .retrieved(try await retrieval(emit)) }
    }

    /// Creates an iterator. The first call of `next()` starts the verification.
    public func makeAsyncIterator() -> AsyncIterator {
      AsyncIterator(run: run)
    }

    /// Runs one verification or retrieval. Releasing the iterator cancels it.
    public struct AsyncIterator: AsyncIteratorProtocol {
      private let run: ToLast
      private var events: AsyncThrowingStream<Progress, any Error>.AsyncIterator?
      private var isFinished = false

      fileprivate init(run: @escaping ToLast) {
        self.run = run
      }

      /// Returns the next event.
      ///
      /// - Returns: the event; `nil` after ``Progress/done(_:)``, ``Progress/retrieved(_:)`` or an
      ///   error.
      /// - Throws: ``VerifyError`` if the verification or retrieval could not be completed,
      ///   `CancellationError` if the task was cancelled.
      public mutating func next() async throws -> Progress? {
        if isFinished { return nil }
        do {
          try Task.checkCancellation()
          if events == nil { events = start() }
          let event = try await events?.next()
          // A stream ends without an error if its consumer's task is cancelled.
          if event == nil { try Task.checkCancellation() }
          switch event {
          case .done, .retrieved: isFinished = true
          default: break
          }
          return event
        } catch {
          isFinished = true
          events = nil
          throw error
        }
      }

      private func start() -> AsyncThrowingStream<Progress, any Error>.AsyncIterator {
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: Progress.self)
        let task = Task { [run] in
          do {
            continuation.yield(try await run { continuation.yield($0) })
            continuation.finish()
          } catch {
            continuation.finish(throwing: error)
          }
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream.makeAsyncIterator()
      }
    }
  }

  /// Receives the core's progress events, in order, before the outcome.
  final class Listener: ProgressListener {
    private let emit: @Sendable (Progress) -> Void

    init(_ emit: @escaping @Sendable (Progress) -> Void) {
      self.emit = emit
    }

    func onProgress(progress: NumberVerifyCore.Progress) {
      emit(Progress(progress))
    }
  }
}
