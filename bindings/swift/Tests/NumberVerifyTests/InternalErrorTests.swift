import NumberVerifyCore
import Testing

@testable import NumberVerify

/// A fault in the library. No input is known that makes one, so what uniffi throws then is a stand-in here.
struct InternalErrorTests {
  private struct Panic: Error {}

  @Test(arguments: [CoreError.Internal, Panic()] as [any Error])
  func aFaultInTheLibraryIsAKindOfItsOwn(fault: any Error) {
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
