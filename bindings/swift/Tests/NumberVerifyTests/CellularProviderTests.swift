import NumberVerifyCore
import Testing

@testable import NumberVerify

/// The order of `acquire` and `release` as the core calls them, each on a task of its own.
struct CellularProviderTests {
  @Test func anAcquireThatIsCancelledBeforeItRunsIsNotReleased() async {
    let phone = Loopback()
    let provider = CoreCellularProvider(phone)
    let acquiring = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      _ = try await provider.acquire(events: NumberVerifyCore.NetworkEvents(noHandle: NumberVerifyCore.NetworkEvents.NoHandle()))
    }
    await #expect(throws: NumberVerifyCore.CellularError.Failed) { try await acquiring.value }
    await provider.release()
    #expect(await phone.counts == Loopback.Counts())
  }
}
