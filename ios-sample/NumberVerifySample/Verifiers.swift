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
      guard let development else { return }
      $0.development.anyNetwork = settings.anyNetwork
      $0.development.rootCertificates = development.rootCertificates
      $0.development.resolve = development.resolve
      $0.slowAfterMs = development.slowAfterMs ?? $0.slowAfterMs
    }
    latest = (settings, verifier)
    return verifier
  }
}
