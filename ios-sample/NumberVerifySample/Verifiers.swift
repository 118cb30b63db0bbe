import Foundation
import NumberVerify

/// What a person can set on the screen, but for the number.
struct Settings: Equatable, Sendable {
  var backend = "https://api.example.com/number-verify"
  var anyNetwork = false
}

/// Keeps one `NumberVerifier`, since its verifications share the network. Other settings need another one: an app whose backend never changes
/// has no need of this class.
@MainActor
final class Verifiers {
  private let development: Development?
  private var latest: (settings: Settings, verifier: NumberVerifier)?

  init(development: Development?) {
    self.development = development
  }

  /// The verifier with these settings.
  ///
  /// - Throws: `VerifyError` of kind `invalidConfig` where a setting cannot work.
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
