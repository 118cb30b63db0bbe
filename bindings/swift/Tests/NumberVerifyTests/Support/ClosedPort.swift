import Foundation

/// A TCP port of 127.0.0.1 that refuses connections: it is taken, and nothing listens on it.
final class ClosedPort: Sendable {
  let number: UInt16
  private let taken: Int32

  init() throws {
    taken = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_addr.s_addr = inet_addr("127.0.0.1")
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let taken = taken
    let isBound = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(taken, $0, size) == 0 && getsockname(taken, $0, &size) == 0 }
    }
    guard isBound else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    number = UInt16(bigEndian: name.sin_port)
  }

  deinit { close(taken) }
}
