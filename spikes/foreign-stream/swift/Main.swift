import ForeignStream
import Foundation

/// Runs whole verifications against the simulator over sockets in Rust, a foreign side in Rust and
/// one in Swift, checks that their results are equal, and prints the cost of each. The argument is
/// the number of verifications of each; defaults to 200.
@main
enum Main {
  static let phoneNumber = "+14155550100"
  static let otherNumber = "+14155550199"
  static let batch = 10

  struct Path {
    let name: String
    let verify: () async throws -> Report
    var cost = Cost()
  }

  static func main() async throws {
    guard let simulator = try Simulator.running(), let setup = simulator.setup(operator: "b", phoneNumber: phoneNumber),
      let other = simulator.setup(operator: "b", phoneNumber: otherNumber)
    else { throw Failure(text: "NUMBER_VERIFY_SIMULATOR is not the simulator's line: use spikes/foreign-stream/run") }
    let swift = TCPConnections(hosts: simulator.hosts)
    let sockets = try SocketVerifier(setup: setup)
    let rust = try ForeignVerifier.overRust(setup: setup)
    let foreign = try ForeignVerifier(setup: setup, connections: swift)
    var paths = [
      Path(name: "sockets in Rust (the product)", verify: sockets.verify),
      Path(name: "foreign side in Rust", verify: rust.verify),
      Path(name: "foreign side in Swift", verify: foreign.verify),
    ]
    let expected = try await sockets.verify()
    try check(expected.verified, "the simulator's own number is verified")
    let otherReport = try await ForeignVerifier(setup: other, connections: swift).verify()
    try check(!otherReport.verified, "another number is not verified")
    try await checkErrors(setup)

    let batches = max((CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 200) / batch, 1)
    // Alternating, so that other load on the machine affects all of them.
    for _ in 0..<batches {
      for index in paths.indices {
        let start = Cost.now()
        for _ in 0..<batch {
          let report = try await paths[index].verify()
          try check(report == expected, "\(paths[index].name): \(report) is not \(expected)")
        }
        paths[index].cost.add(from: start, to: .now())
      }
    }
    print("\(batches * batch) verifications each, of \(expected.requests) requests over \(expected.connections) connections")
    for path in paths {
      print(line(path, verifications: batches * batch))
    }
  }

  static func line(_ path: Path, verifications: Int) -> String {
    let cpu = path.cost.cpu * 1000 / Double(verifications)
    let elapsed = path.cost.elapsed * 1000 / Double(verifications)
    let name = path.name.padding(toLength: 30, withPad: " ", startingAt: 0)
    return name + String(format: "CPU %6.2f ms  elapsed %6.2f ms", cpu, elapsed)
  }

  /// A foreign side that throws fails the verification, and so does a host that it does not know.
  static func checkErrors(_ setup: Setup) async throws {
    for connections in [TCPConnections(hosts: []), Broken()] as [any Connections] {
      do {
        _ = try await ForeignVerifier(setup: setup, connections: connections).verify()
      } catch SpikeError.Verify {
        continue
      }
      throw Failure(text: "a verification over \(type(of: connections)) is an error")
    }
  }

  static func check(_ holds: Bool, _ text: String) throws {
    if !holds { throw Failure(text: text) }
  }
}

/// A foreign side that throws an unexpected error.
final class Broken: Connections {
  func connection(host: String, port: UInt16) throws -> any Connection { throw Failure(text: "broken") }
}

struct Failure: Error {
  let text: String
}
