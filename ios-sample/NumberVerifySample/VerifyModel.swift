import Combine
import NumberVerify

/// Runs verifications and retrievals for the screen. SwiftUI keeps it while the phone is rotated, so they go on then.
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
  }

  deinit {
    running?.cancel()
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

  func verify() { run(.verify) }

  /// The user has agreed to it: see the text of the button.
  func retrieve() { run(.retrieve) }

  /// What failed, with the settings that are on the screen now.
  func tryAgain() { run(purpose) }

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
        // Cancelled: `cancel()` has said so.
      }
    }
  }

  func cancel() {
    running?.cancel()
    state = state.cancelled()
  }

  /// What a cancelled run still brings is not for the next one.
  private func change(_ next: (ScreenState) -> ScreenState) {
    if !Task.isCancelled { state = next(state) }
  }
}
