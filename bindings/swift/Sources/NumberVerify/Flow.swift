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
  /// Returns the result. Cancels the flow if the task is cancelled, because uniffi does not
  /// propagate task cancellation.
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
