internal import NumberVerifyCore

/// One running verification of the core, whose cancellation the core does not hear of by itself: uniffi does not pass it on.
struct Flow: Sendable {
  private let core: VerificationFlow

  init(_ core: VerificationFlow) {
    self.core = core
  }

  func outcome() async throws -> Verification {
    try await withTaskCancellationHandler {
      do {
        return Verification(try await core.result())
      } catch CoreError.Cancelled where Task.isCancelled {
        throw CancellationError()
      } catch {
        throw VerifyError(error, trace: Trace(core.trace()))
      }
    } onCancel: {
      core.cancel()
    }
  }
}
