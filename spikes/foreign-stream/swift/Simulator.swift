import ForeignStream
import Foundation

/// The output of the simulator program.
struct Simulator: Decodable {
  let backends: [String: String]
  let hosts: [String]
  let rootCaPem: String

  /// From the environment. `nil` if it is not set.
  static func running() throws -> Simulator? {
    guard let line = ProcessInfo.processInfo.environment["NUMBER_VERIFY_SIMULATOR"] else { return nil }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Simulator.self, from: Data(line.utf8))
  }

  /// `nil` if the simulator has no such operator.
  func setup(operator name: String, phoneNumber: String) -> Setup? {
    backends[name].map {
      Setup(backendUrl: $0, hosts: hosts, rootCertificate: rootCaPem, phoneNumber: phoneNumber)
    }
  }
}
