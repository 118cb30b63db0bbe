import Combine
import NumberVerify

/// Runs verifications for the screen. SwiftUI keeps it while the phone is rotated, so a verification goes on then.
@MainActor
final class VerifyModel: ObservableObject {
  @Published var phoneNumber = ""
  @Published var settings: Settings
  @Published private(set) var state = ScreenState.ready(numberIsInvalid: false)
  /// The result of `check()`; `nil` before it.
  @Published private(set) var cellular: CellularStatus?

  let canUseAnyNetwork: Bool
  /// Why the simulator program cannot be used: for the developer.
  let developmentProblem: String?
  private let verifiers: Verifiers
  private var verifying: Task<Void, Never>?

  init(development: Development?) {
    verifiers = Verifiers(development: development)
    canUseAnyNetwork = development != nil
    developmentProblem = development?.problem
    settings = Settings()
    settings.anyNetwork = development?.anyNetwork ?? false
    settings.backend = development?.backend ?? settings.backend
  }

  deinit {
    verifying?.cancel()
  }

  /// The screen is there: tells the state of cellular, and brings it up for a verification that will follow.
  func prepare() async {
    cellular = nil
    do {
      let verifier = try verifiers.with(settings)
      let status = await verifier.check()
      try Task.checkCancellation()
      cellular = status
      try await verifier.prepare()
    } catch let error as VerifyError {
      // Another error says nothing about cellular: a person may still be typing the backend's URL. The verification says what is wrong.
      if case .cellularUnavailable(let cause) = error.kind { cellular = .unavailable(cause) }
    } catch {
      // Cancelled: the screen is gone, or is prepared anew.
    }
  }

  func verify() {
    if state.isRunning { return }
    state = .running(Steps())
    verifying = Task { [weak self, verifiers, settings, phoneNumber] in
      do {
        for try await progress in try verifiers.with(settings).verifying(phoneNumber: phoneNumber) {
          self?.change { $0.after(progress) }
        }
      } catch let error as VerifyError {
        self?.change { $0.failed(error) }
      } catch {
        // Cancelled: `cancel()` has said so.
      }
    }
  }

  func cancel() {
    verifying?.cancel()
    state = state.cancelled()
  }

  /// What a cancelled verification still brings is not for the next one.
  private func change(_ next: (ScreenState) -> ScreenState) {
    if !Task.isCancelled { state = next(state) }
  }
}
