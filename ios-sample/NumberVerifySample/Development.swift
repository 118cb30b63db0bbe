import Foundation

/// What only a debug build can do: verify over any network, and against the simulator program with its root certificate and addresses.
/// In a release build there is none, and no code that makes one.
struct Development: Equatable, Sendable {
  /// The backend to begin with.
  var backend: String?
  /// Whether the switch for any network is on to begin with.
  var anyNetwork = false
  /// Further root certificates, in PEM form.
  var rootCertificates: [String] = []
  /// Fixed addresses, each `HOST:PORT:ADDRESS`.
  var resolve: [String] = []
  /// After how many milliseconds a verification is slow; `nil` for the library's default.
  var slowAfterMs: Int?
  /// Why the simulator program cannot be used, if it was to be.
  var problem: String?

  #if DEBUG
    /// As the scheme's environment says: `NUMBER_VERIFY_SIMULATOR` is the line that the simulator program prints.
    static let current: Development? = {
      guard let line = ProcessInfo.processInfo.environment["NUMBER_VERIFY_SIMULATOR"] else { return Development() }
      do {
        return try Development(simulator: line)
      } catch {
        var development = Development()
        development.problem = "NUMBER_VERIFY_SIMULATOR is not the line that the simulator program prints: \(error)"
        return development
      }
    }()

    init(simulator line: String) throws {
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      let simulator = try decoder.decode(Simulator.self, from: Data(line.utf8))
      backend = simulator.backend
      anyNetwork = true
      rootCertificates = [simulator.rootCaPem]
      resolve = simulator.hosts
    }

    private struct Simulator: Decodable {
      let backend: String
      let hosts: [String]
      let rootCaPem: String
    }
  #else
    static let current: Development? = nil
  #endif

  private init() {}
}
