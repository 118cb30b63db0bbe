import Foundation

/// Settings for debug builds only: verify over any network, and against the simulator program with
/// its root certificate and addresses. In a release build, `current` is `nil` and no code creates
/// an instance.
struct Development: Equatable, Sendable {
  /// The initial backend URL.
  var backend: String?
  /// Whether the any-network switch is initially on.
  var anyNetwork = false
  /// Additional root certificates in PEM format.
  var rootCertificates: [String] = []
  /// Fixed addresses, each `HOST:PORT:ADDRESS`.
  var resolve: [String] = []
  /// After how many milliseconds a verification is slow; `nil`: the library's default.
  var slowAfterMs: Int?
  /// Why the configured simulator program cannot be used, if so.
  var problem: String?

  #if DEBUG
    /// From the scheme's environment: `NUMBER_VERIFY_SIMULATOR` is the line that the simulator
    /// program prints with `--json`.
    static let current: Development? = {
      guard let line = ProcessInfo.processInfo.environment["NUMBER_VERIFY_SIMULATOR"] else { return Development() }
      do {
        return try Development(simulator: line)
      } catch {
        var development = Development()
        development.problem = "NUMBER_VERIFY_SIMULATOR is not the line that the simulator program prints with --json: \(error)"
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
