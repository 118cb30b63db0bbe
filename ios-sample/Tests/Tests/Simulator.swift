import Foundation

/// The simulator program, which `scripts/test-ios-sample` has started twice.
struct Simulator: Decodable {
  let backends: [String: String]

  static let line = printed("NUMBER_VERIFY_SIMULATOR")

  /// What one says whose operators do not know the SIM of this phone.
  static let strangeLine = printed("NUMBER_VERIFY_STRANGE_SIMULATOR")

  private static func printed(_ variable: String) -> String {
    // On Linux, a vectored write to a connection that the peer has reset raises it; on Apple systems the sockets have SO_NOSIGPIPE.
    signal(SIGPIPE, SIG_IGN)
    guard let line = ProcessInfo.processInfo.environment[variable] else {
      fatalError("\(variable) is not set: run the tests with `make test-ios-sample`")
    }
    return line
  }

  static let shared: Simulator = {
    do {
      return try JSONDecoder().decode(Simulator.self, from: Data(line.utf8))
    } catch {
      fatalError("NUMBER_VERIFY_SIMULATOR is not the simulator's line: \(error)")
    }
  }()

  /// The base URL of the backend whose numbers this operator verifies: `a` to `d`.
  func backend(_ operatorName: String) -> String {
    backends[operatorName] ?? ""
  }
}
