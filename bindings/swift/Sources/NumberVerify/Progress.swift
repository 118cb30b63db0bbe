internal import NumberVerifyCore

extension NumberVerifier {
  /// What happens in a running verification, in order. Holds nothing secret. `atMs`: milliseconds since the verification began.
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
    /// The verdict; nothing follows.
    case done(Verification)
  }

  /// The progress of a verification; see ``NumberVerifier/verifying(phoneNumber:options:)``.
  public struct ProgressSequence: AsyncSequence, Sendable {
    /// What is read.
    public typealias Element = Progress

    /// One verification: emits what happens, and returns the result.
    public typealias Run = @Sendable (_ emit: @escaping @Sendable (Progress) -> Void) async throws -> Verification

    private let run: Run

    /// A sequence for an app's own ``NumberVerifying``. Each iteration runs `run` in a task, which is cancelled when the iteration ends.
    public init(_ run: @escaping Run) {
      self.run = run
    }

    /// Begins nothing yet: the first `next()` does.
    public func makeAsyncIterator() -> AsyncIterator {
      AsyncIterator(run: run)
    }

    /// One verification. It ends when this is let go.
    public struct AsyncIterator: AsyncIteratorProtocol {
      private let run: Run
      private var events: AsyncThrowingStream<Progress, any Error>.AsyncIterator?
      private var isOver = false

      fileprivate init(run: @escaping Run) {
        self.run = run
      }

      /// The next event; `nil` after ``Progress/done(_:)``.
      ///
      /// - Throws: ``VerifyError`` where there is no verdict, `CancellationError` where the task was cancelled.
      public mutating func next() async throws -> Progress? {
        if isOver { return nil }
        do {
          try Task.checkCancellation()
          if events == nil { events = start() }
          let event = try await events?.next()
          // A stream ends in silence when its reader's task is cancelled.
          if event == nil { try Task.checkCancellation() }
          if case .done = event { isOver = true }
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
            continuation.yield(.done(try await run { continuation.yield($0) }))
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
