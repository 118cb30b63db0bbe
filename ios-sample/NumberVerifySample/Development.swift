import Foundation

/// What only a debug build can do: verify over any network, and against a simulator program with a root certificate and addresses of its own.
/// In a release build there is none, and no code that makes one.
struct Development: Sendable {
  /// The backend to begin with.
  let backend: String?
  /// Whether the switch is on to begin with.
  let anyNetwork: Bool
  /// A further root certificate, in PEM form.
  let rootCertificate: String?
  /// Fixed addresses, each `HOST:PORT:ADDRESS`.
  let resolve: [String]

  #if DEBUG
    /// What the scheme's environment says (Product > Scheme > Edit Scheme > Run > Arguments).
    static let current: Development? = Development(environment: ProcessInfo.processInfo.environment)

    /// - Parameter environment: `NUMBER_VERIFY_BACKEND`, `NUMBER_VERIFY_ANY_NETWORK` (`1`), `NUMBER_VERIFY_ROOT_CERTIFICATE` (PEM),
    ///   `NUMBER_VERIFY_RESOLVE` (separated by spaces).
    init(environment: [String: String]) {
      backend = environment["NUMBER_VERIFY_BACKEND"]
      anyNetwork = environment["NUMBER_VERIFY_ANY_NETWORK"] == "1"
      rootCertificate = environment["NUMBER_VERIFY_ROOT_CERTIFICATE"]
      resolve = environment["NUMBER_VERIFY_RESOLVE"]?.split(separator: " ").map(String.init) ?? []
    }
  #else
    static let current: Development? = nil
  #endif
}
