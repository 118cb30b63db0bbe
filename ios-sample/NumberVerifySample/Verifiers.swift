import Foundation
import NumberVerify

/// The settings on the screen, except for the phone number.
struct Settings: Equatable, Sendable {
  var backend = "https://api.example.com/number-verify"
  var anyNetwork = false
}

/// Caches one `NumberVerifier`, because its verifications share the network. Different settings
/// require a new one; an app with a fixed backend does not need this class.
@MainActor
final class Verifiers {
  private let development: Development?
  private var latest: (settings: Settings, verifier: NumberVerifier)?

  init(development: Development?) {
    self.development = development
  }

  /// Returns the verifier with these settings.
  ///
  /// - Throws: `VerifyError` of kind `invalidConfig` if a setting is invalid.
  func with(_ settings: Settings) throws -> NumberVerifier {
    if let latest, latest.settings == settings { return latest.verifier }
    let verifier = try NumberVerifier(backend: settings.backend.trimmingCharacters(in: .whitespacesAndNewlines)) {
      settings.apply(development, to: &$0)
    }
    latest = (settings, verifier)
    return verifier
  }

  /// Releases the network; the next call of ``with(_:)`` creates a new verifier.
  func release() { latest = nil }
}

extension Settings {
  /// Applies the settings on the screen, and in a debug build those of the environment.
  func apply(_ development: Development?, to configuration: inout NumberVerifier.Configuration) {
    guard let development else { return }
    configuration.development.anyNetwork = anyNetwork
    configuration.development.rootCertificates = development.rootCertificates
    configuration.development.resolve = development.resolve
    configuration.slowAfterMs = development.slowAfterMs ?? configuration.slowAfterMs
  }
}
