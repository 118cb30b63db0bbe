import Foundation
import ForeignStream
import Glibc

/// The foreign side in Swift: TCP over Glibc's sockets, with host names from a table. It replaces
/// `NWConnection`, which is not available on Linux.
final class TCPConnections: Connections {
  /// Keyed by `HOST:PORT`.
  private let addresses: [String: String]

  /// Hosts as `HOST:PORT:ADDRESS`, IPv6 in brackets.
  init(hosts: [String]) {
    var addresses: [String: String] = [:]
    for host in hosts {
      let parts = host.split(separator: ":", maxSplits: 2)
      guard parts.count == 3 else { continue }
      addresses["\(parts[0]):\(parts[1])"] = parts[2].trimmingCharacters(in: ["[", "]"])
    }
    self.addresses = addresses
  }

  func connection(host: String, port: UInt16) throws -> any Connection {
    try TCPConnection(address: SocketAddress(ip: addresses["\(host):\(port)"] ?? host, port: port))
  }
}
