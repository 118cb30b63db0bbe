import Foundation
import ForeignStream
import Glibc

/// The foreign side in Swift: TCP over Glibc's sockets, with names from a table. It stands in for `NWConnection`, which Linux does not have.
final class TCPConnections: Connections {
  /// By `HOST:PORT`.
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
