internal import NumberVerifyCore

/// A running flow of the core.
protocol CoreFlow: Sendable {
  associatedtype Outcome

  func result() async throws -> Outcome
  func cancel()
  func trace() -> CoreTrace
}

extension VerificationFlow: CoreFlow {}

extension RetrievalFlow: CoreFlow {}

extension CoreFlow {
  /// The result. Cancels the flow when the task is cancelled, which uniffi does not pass on.
  func outcome() async throws -> Outcome {
    try await withTaskCancellationHandler {
      do {
        return try await result()
      } catch CoreError.Cancelled where Task.isCancelled {
        throw CancellationError()
      } catch {
        throw VerifyError(error, trace: Trace(trace()))
      }
    } onCancel: {
      cancel()
    }
  }
}
