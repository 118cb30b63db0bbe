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
  /// The initial phone number.
  var phoneNumber: String?
  /// The simulator's URL that returns the source addresses of requests, for the device check.
  var observed: String?
  /// Another URL that returns the source address of a request, as text or JSON.
  var echo: String?
  /// A host name in public DNS, for the device check.
  var dnsHost: String?
  /// Whether to open the device check at start.
  var opensCheck = false
  /// Whether a person follows the instructions of the device check.
  var isAttended = true
  /// Why the configured simulator program cannot be used, if so.
  var problem: String?

  #if DEBUG
    /// From the scheme's environment: `NUMBER_VERIFY_SIMULATOR` is the line that the simulator
    /// program prints with `--json`. `scripts/device-check` adds members to it.
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
      anyNetwork = simulator.anyNetwork ?? true
      rootCertificates = [simulator.rootCaPem]
      resolve = simulator.hosts
      phoneNumber = simulator.phoneNumber
      observed = simulator.observed
      echo = simulator.echo ?? simulator.observed
      dnsHost = simulator.dnsHost
      opensCheck = simulator.opensCheck ?? false
      isAttended = simulator.attended ?? true
    }

    private struct Simulator: Decodable {
      let backend: String
      let hosts: [String]
      let rootCaPem: String
      let observed: String?
      let anyNetwork: Bool?
      let phoneNumber: String?
      let echo: String?
      let dnsHost: String?
      let opensCheck: Bool?
      let attended: Bool?
    }
  #else
    static let current: Development? = nil
  #endif

  private init() {}
}
