import Foundation
import NumberVerify

/// The simulator's settings. It has printed them as one line.
private struct Simulator: Decodable {
  let backend: String
  let rootCaPem: String
  let hosts: [String]

  static func started() throws -> Simulator {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let line = ProcessInfo.processInfo.environment["NUMBER_VERIFY_SIMULATOR"] ?? ""
    return try decoder.decode(Simulator.self, from: Data(line.utf8))
  }
}

extension NumberVerifier {
  /// What the package offers on Apple systems only, for the simulator and this machine's network.
  convenience init(backend: String, configure: (inout Configuration) -> Void) throws {
    let simulator = try Simulator.started()
    try self.init(cellular: AnyNetwork(), backend: simulator.backend) {
      configure(&$0)
      $0.development.anyNetwork = true
      $0.development.rootCertificates = [simulator.rootCaPem]
      $0.development.resolve = simulator.hosts
    }
  }
}

private struct AnyNetwork: CellularProvider {
  func acquire(events: NetworkEvents) async throws -> NetworkBinding { .unbound }
  func release() async {}
  func status() async -> CellularStatus { .ready }
}
