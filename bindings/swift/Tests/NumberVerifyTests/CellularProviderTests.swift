import NumberVerifyCore
import Testing

@testable import NumberVerify

/// The order of `acquire` and `release` as called by the core, each in a separate task.
struct CellularProviderTests {
  @Test func acquireCancelledBeforeItStartsIsNotReleased() async {
    let phone = Loopback()
    let provider = CoreCellularProvider(phone)
    let acquired = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      _ = try await provider.acquire(events: NumberVerifyCore.NetworkEvents(noHandle: NumberVerifyCore.NetworkEvents.NoHandle()))
    }
    await #expect(throws: NumberVerifyCore.CellularError.Failed) { try await acquired.value }
    await provider.release()
    #expect(await phone.counts == Loopback.Counts())
  }
}
