internal import NumberVerifyCore

extension NumberVerifier {
  /// What happens in a running verification or retrieval, in order. Prints nothing secret. `atMs`: milliseconds since it began.
  ///
  /// A later version may have further kinds: give a `switch` a `default`.
  public enum Progress: Sendable, Equatable {
    /// A step began. ``Step/start`` and ``Step/acquire`` run at the same time.
    case stepBegan(Step, atMs: Int)
    /// A step ended well.
    case stepEnded(Step, atMs: Int)
    /// A host on the operator's side answered.
    case hopAnswered(Hop, atMs: Int)
    /// The verification takes longer than ``NumberVerifier/Configuration/slowAfterMs``, and goes on: time to offer the user another channel
    /// beside it. Comes once at most.
    case slow(atMs: Int)
    /// The result of a verification; nothing follows.
    case done(Verification)
    /// The result of a retrieval; nothing follows.
    case retrieved(RetrievedNumber)
  }

  /// The progress of a verification or retrieval; see ``NumberVerifier/verifying(phoneNumber:options:)`` and
  /// ``NumberVerifier/retrieving(options:)``.
  public struct ProgressSequence: AsyncSequence, Sendable {
    /// What is read.
    public typealias Element = Progress

    /// One verification: emits what happens, and returns the result.
    public typealias Run = @Sendable (_ emit: @escaping @Sendable (Progress) -> Void) async throws -> Verification

    /// One retrieval: emits what happens, and returns the number.
    public typealias Retrieval = @Sendable (_ emit: @escaping @Sendable (Progress) -> Void) async throws -> RetrievedNumber

    fileprivate typealias ToLast = @Sendable (_ emit: @escaping @Sendable (Progress) -> Void) async throws -> Progress

    private let run: ToLast

    /// A sequence for an app's own ``NumberVerifying``. Each iteration runs `run` in a task, which is cancelled when the iteration ends.
    public init(_ run: @escaping Run) {
      self.run = { emit in .done(try await run(emit)) }
    }

    /// As ``init(_:)``, for a retrieval.
    public init(retrieval: @escaping Retrieval) {
      run = { emit in .retrieved(try await retrieval(emit)) }
    }

    /// Begins nothing yet: the first `next()` does.
    public func makeAsyncIterator() -> AsyncIterator {
      AsyncIterator(run: run)
    }

    /// One verification or retrieval. It is cancelled when this is released.
    public struct AsyncIterator: AsyncIteratorProtocol {
      private let run: ToLast
      private var events: AsyncThrowingStream<Progress, any Error>.AsyncIterator?
      private var isOver = false

      fileprivate init(run: @escaping ToLast) {
        self.run = run
      }

      /// The next event; `nil` after ``Progress/done(_:)`` or ``Progress/retrieved(_:)``.
      ///
      /// - Throws: ``VerifyError`` if there is no result, `CancellationError` if the task was cancelled.
      public mutating func next() async throws -> Progress? {
        if isOver { return nil }
        do {
          try Task.checkCancellation()
          if events == nil { events = start() }
          let event = try await events?.next()
          // A stream ends in silence when its reader's task is cancelled.
          if event == nil { try Task.checkCancellation() }
          switch event {
          case .done, .retrieved: isOver = true
          default: break
          }
          return event
        } catch {
          isOver = true
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

  /// Hears the core's events, in order, before the outcome.
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
