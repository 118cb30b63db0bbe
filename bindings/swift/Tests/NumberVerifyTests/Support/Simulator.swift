import Foundation
import NumberVerify

/// The simulator program, which the script of the tests has started, and what a verifier needs to reach it.
struct Simulator: Decodable {
  static let number = "+14155550100"
  static let otherNumber = "+14155550199"

  let backends: [String: String]
  let hosts: [String]
  let httpsPort: UInt16
  let httpPort: UInt16
  let rootCaPem: String
  /// Its name server, `ADDRESS:PORT`, if it has one.
  let dns: String?

  /// What the program has printed.
  static let line = printed("NUMBER_VERIFY_SIMULATOR")

  static let shared: Simulator = {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      return try decoder.decode(Simulator.self, from: Data(line.utf8))
    } catch {
      fatalError("NUMBER_VERIFY_SIMULATOR is not the simulator's line: \(error)")
    }
  }()

  static func printed(_ variable: String) -> String {
    // On Linux, a vectored write to a connection that the peer has reset raises it; on Apple systems the sockets have SO_NOSIGPIPE.
    signal(SIGPIPE, SIG_IGN)
    guard let line = ProcessInfo.processInfo.environment[variable] else {
      fatalError("\(variable) is not set: run the tests with `make test-swift` or `make test-ios-sample`")
    }
    return line
  }

  /// The base URL of the backend whose numbers this operator verifies. `kind`: `number-verify` or another kind of backend that the simulator has.
  func backend(_ operatorName: String, kind: String = "number-verify") -> String {
    "https://backend.simulator.test:\(httpsPort)/\(kind)/\(operatorName)"
  }

  /// An auth URL as the simulator's backend makes it.
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

  /// Makes a verifier reach it.
  func configure(_ configuration: inout NumberVerifier.Configuration) {
    configuration.development.resolve += hosts
    configuration.development.rootCertificates.append(rootCaPem)
  }
}

extension NumberVerifier {
  /// A verifier over loopback with the simulator's own backend.
  convenience init(
    _ cellular: any CellularProvider, operator operatorName: String = "a", configure: (inout Configuration) -> Void = { _ in }
  ) throws {
    try self.init(cellular: cellular, backend: Simulator.shared.backend(operatorName)) {
      Simulator.shared.configure(&$0)
      configure(&$0)
    }
  }

  /// A verifier over loopback with a backend of the test's.
  convenience init(
    _ cellular: any CellularProvider, backend: any Backend, configure: (inout Configuration) -> Void = { _ in }
  ) throws {
    try self.init(cellular: cellular, backend: backend, backendURL: "https://unused.test") {
      Simulator.shared.configure(&$0)
      configure(&$0)
    }
  }
}
