import Foundation
import NumberVerify

/// The simulator program started by the test script, and the settings that a verifier needs to
/// reach it.
struct Simulator: Decodable {
  static let number = "+14155550100"
  static let otherNumber = "+14155550199"

  let backends: [String: String]
  let hosts: [String]
  let httpsPort: UInt16
  let httpPort: UInt16
  let rootCaPem: String
  /// Its DNS server, `ADDRESS:PORT`, if any.
  let dns: String?

  /// The JSON line that the program has printed.
  static let line = environmentLine("NUMBER_VERIFY_SIMULATOR")

  static let shared: Simulator = {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      return try decoder.decode(Simulator.self, from: Data(line.utf8))
    } catch {
      fatalError("NUMBER_VERIFY_SIMULATOR is not the simulator's line: \(error)")
    }
  }()

  static func environmentLine(_ variable: String) -> String {
    // On Linux, a vectored write to a connection reset by the peer raises SIGPIPE; on Apple
    // platforms the sockets have SO_NOSIGPIPE.
    signal(SIGPIPE, SIG_IGN)
    guard let line = ProcessInfo.processInfo.environment[variable] else {
      fatalError("\(variable) is not set: run the tests with `make test-swift` or `make test-ios-sample`")
    }
    return line
  }

  /// The base URL of the backend that uses this operator. `kind`: `number-verify` or another kind
  /// of backend of the simulator.
  func backend(_ operatorName: String, kind: String = "number-verify") -> String {
    "https://backend.simulator.test:\(httpsPort)/\(kind)/\(operatorName)"
  }

  /// An auth URL as created by the simulator's backend.
  func authURL(operator operatorName: String, state: String, redirectURI: String = "myapp://done") -> String {
    var components = URLComponents()
    components.scheme = "https"
    components.host = "auth.simulator.test"
    components.port = Int(httpsPort)
    components.path = "/oauth2/auth"
    components.queryItems = [
      URLQueryItem(name: "client_id", value: "SIMULATOR"),
      URLQueryItem(name: "response_type", value: "code"),
      URLQueryItem(name: "state", value: state),
      URLQueryItem(name: "operator", value: operatorName),
      URLQueryItem(name: "redirect_uri", value: redirectURI),
    ]
    return components.string ?? ""
  }

  /// Configures a verifier to use the simulator.
  func configure(_ configuration: inout NumberVerifier.Configuration) {
    configuration.development.resolve += hosts
    configuration.development.rootCertificates.append(rootCaPem)
  }
}

extension NumberVerifier {
  /// Creates a verifier over loopback with the simulator's backend.
  convenience init(
    _ cellular: any CellularProvider, operator operatorName: String = "a", configure: (inout Configuration) -> Void = { _ in }
  ) throws {
    try self.init(cellular: cellular, backend: Simulator.shared.backend(operatorName)) {
      Simulator.shared.configure(&$0)
      configure(&$0)
    }
  }

  /// Creates a verifier over loopback with a custom backend.
  convenience init(
    _ cellular: any CellularProvider, backend: any Backend, configure: (inout Configuration) -> Void = { _ in }
  ) throws {
    try self.init(cellular: cellular, backend: backend, backendURL: "https://unused.test") {
      Simulator.shared.configure(&$0)
      configure(&$0)
    }
  }
}
