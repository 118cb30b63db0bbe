import NumberVerifyCore
import Testing

@testable import NumberVerify

/// An internal error of the library. No input is known to cause one, so the test throws a
/// substitute for uniffi's error.
struct InternalErrorTests {
  private struct Panic: Error {}

  @Test(arguments: [CoreError.Internal, Panic()] as [any Error])
  func internalErrorIsASeparateKind(fault: any Error) {
    #expect {
      try orVerifyError { throw fault }
    } throws: { thrown in
      guard let error = thrown as? VerifyError else { return false }
      return error.kind == .internal && error.fallback == .useAnotherChannel
        && error.errorDescription == "The library failed with an internal error."
        && error.recoverySuggestion == "Verify the number in another way, such as a code by SMS, and report it."
    }
  }
}
