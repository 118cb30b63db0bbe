import Combine
import NumberVerify

/// Runs verifications and retrievals for the screen. SwiftUI retains it across rotation, so they
/// continue.
@MainActor
final class VerifyModel: ObservableObject {
  @Published var phoneNumber = ""
  @Published var settings: Settings
  @Published private(set) var state = ScreenState.ready(numberIsInvalid: false)
  /// The result of `check()`; `nil` until it returns.
  @Published private(set) var cellular: CellularStatus?

  /// Whether the device check is open.
  @Published var isChecking = false

  let canUseAnyNetwork: Bool
  /// Why the simulator program cannot be used, for developers.
  let developmentProblem: String?
  private let verifiers: Verifiers
  private var purpose = Purpose.verify
  private var running: Task<Void, Never>?

  private enum Purpose { case verify, retrieve }

  init(development: Development?) {
    verifiers = Verifiers(development: development)
    canUseAnyNetwork = development != nil
    developmentProblem = development?.problem
    settings = Settings()
    settings.anyNetwork = development?.anyNetwork ?? false
    settings.backend = development?.backend ?? settings.backend
    phoneNumber = development?.phoneNumber ?? ""
    isChecking = development?.opensCheck ?? false
  }

  deinit {
    running?.cancel()
  }

  /// Called when the screen appears: updates the cellular status and prepares for a verification.
  func prepare() async {
    cellular = nil
    do {
      let verifier = try verifiers.with(settings)
      let status = await verifier.check()
      try Task.checkCancellation()
      cellular = status
      try await verifier.prepare()
    } catch let error as VerifyError {
      // Other errors do not concern the cellular network: the user may still be typing the
      // backend's URL. The verification reports them.
      if case .cellularUnavailable(let cause) = error.kind { cellular = .unavailable(cause) }
    } catch {
      // Cancelled: the screen disappeared, or `prepare()` was called again.
    }
  }

  func verify() { run(.verify) }

  /// The user has consented: see the text of the button.
  func retrieve() { run(.retrieve) }

  /// Repeats the failed action with the current settings.
  func tryAgain() { run(purpose) }

  /// Opens the device check. Releases everything, so that it measures from the beginning.
  func check() {
    cancel()
    verifiers.release()
    isChecking = true
  }

  private func run(_ purpose: Purpose) {
    if state.isRunning { return }
    self.purpose = purpose
    state = .running(Steps())
    running = Task { [weak self, verifiers, settings, phoneNumber] in
      do {
        let verifier = try verifiers.with(settings)
        let events =
          switch purpose {
          case .verify: verifier.verifying(phoneNumber: phoneNumber)
          case .retrieve: verifier.retrieving()
          }
        for try await progress in events {
          self?.change { $0.after(progress) }
        }
      } catch let error as VerifyError {
        self?.change { $0.failed(error) }
      } catch {
        // Cancelled: `cancel()` has updated the state.
      }
    }
  }

  func cancel() {
    running?.cancel()
    state = state.cancelled()
  }

  /// Ignores late events of a cancelled run.
  private func change(_ next: (ScreenState) -> ScreenState) {
    if !Task.isCancelled { state = next(state) }
  }
}
