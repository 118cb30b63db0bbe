import Foundation
import NumberVerify
import UIKit

/// The library, and other clients, on this phone.
@MainActor
final class AppleCheckPlatform: CheckPlatform {
  private let verifiers: Verifiers
  private let client: AddressClient
  private let development: Development
  private let settings: Settings
  private let phoneNumber: String
  private var backgroundTask = UIBackgroundTaskIdentifier.invalid

  init(development: Development, settings: Settings, phoneNumber: String) {
    verifiers = Verifiers(development: development)
    client = AddressClient(echo: development.echo, observed: development.observed)
    self.development = development
    self.settings = settings
    self.phoneNumber = phoneNumber
  }

  var device: [String: String] {
    var system = utsname()
    uname(&system)
    let model = withUnsafeBytes(of: &system.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    let version = Bundle.main.infoDictionary?["CFBundleShortVersionString"] as? String ?? "unknown"
    return [
      "platform": "ios", "model": model, "os": ProcessInfo.processInfo.operatingSystemVersionString,
      // Since iOS 16, no API returns the operator.
      "operator": "not reported by iOS",
      // The sample is built with the library of the same version.
      "app": version, "library": version,
    ]
  }

  func networks() async -> PhoneNetworks {
    var networks = await AppleNetworks.current()
    do {
      switch try await verifiers.with(settings).check() {
      case .ready: networks.status = "ready"
      case .wifiActive: networks.status = "wifi_active"
      case .unavailable(let cause): networks.status = cause.name
      }
    } catch {
      networks.status = outcome(error)
    }
    return networks
  }

  func verify(whileHeld: @escaping @MainActor () async -> Void) async -> CheckRun {
    var held: Task<Void, Never>?
    let run: CheckRun
    do {
      var trace: Trace?
      for try await progress in try verifiers.with(settings).verifying(phoneNumber: phoneNumber) {
        switch progress {
        case .stepEnded(.acquire, _): held = Task { await whileHeld() }
        case .done(let verification): trace = verification.trace
        default: break
        }
      }
      run = self.run(trace, outcome: "no result")
    } catch {
      run = self.run((error as? VerifyError)?.trace, outcome: outcome(error))
    }
    held?.cancel()
    await held?.value
    return run
  }

  func prepare() async -> String? {
    do {
      try await verifiers.with(settings).prepare()
      return nil
    } catch {
      return outcome(error)
    }
  }

  func open(_ host: String) async -> CheckRun {
    do {
      let backend = PublicHost(url: "https://\(host)/")
      let verifier = try NumberVerifier(backend: backend, backendURL: settings.backend) { settings.apply(development, to: &$0) }
      return run(try await verifier.verify(phoneNumber: phoneNumber).trace, outcome: "no result")
    } catch {
      return run((error as? VerifyError)?.trace, outcome: outcome(error))
    }
  }

  func defaultAddress() async -> String? { await client.defaultAddress() }

  func libraryAddresses(correlator: String) async -> LibraryAddresses? { await client.libraryAddresses(correlator: correlator) }

  /// Waits within a background task: iOS would suspend the app after a few seconds.
  func awaitForeground(_ isForeground: Bool) async -> Bool {
    if backgroundTask == .invalid {
      backgroundTask = UIApplication.shared.beginBackgroundTask { [weak self] in self?.endBackgroundTask() }
    }
    defer { if isForeground { endBackgroundTask() } }
    for _ in 0..<120 {
      if (UIApplication.shared.applicationState != .background) == isForeground { return true }
      do { try await Task.sleep(nanoseconds: 500_000_000) } catch { return false }
    }
    return false
  }

  private func endBackgroundTask() {
    UIApplication.shared.endBackgroundTask(backgroundTask)
    backgroundTask = .invalid
  }

  private func run(_ trace: Trace?, outcome: String) -> CheckRun {
    guard let trace else { return CheckRun(outcome: outcome) }
    do { return try CheckRun(trace: trace.json()) } catch { return CheckRun(outcome: "unreadable trace") }
  }

  private func outcome(_ error: any Error) -> String {
    guard let error = error as? VerifyError else { return "cancelled" }
    if case .cellularUnavailable(let cause) = error.kind { return "cellular_unavailable/\(cause.name)" }
    return error.description
  }

  /// A backend whose auth URL is a public host, which ends the verification with its page.
  private struct PublicHost: Backend {
    let url: String

    func start(_ request: StartRequest) async throws -> AuthorizationStart {
      AuthorizationStart(authURL: url, redirectURI: "https://device-check.invalid/done")
    }

    func complete(_ request: CompletionRequest) async throws -> String { #"{"verified":false}"# }
  }
}

extension CellularCause {
  /// The name in the JSON of a trace: `noSIM` is `no_sim`.
  var name: String {
    "\(self)".replacingOccurrences(of: "([a-z])([A-Z]+)", with: "$1_$2", options: .regularExpression).lowercased()
  }
}
