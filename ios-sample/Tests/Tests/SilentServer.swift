import Foundation

/// A backend on plain http that says nothing.
final class SilentServer: Sendable {
  let url: String
  private let listener: Int32

  init() throws {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_addr.s_addr = inet_addr("127.0.0.1")
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let isThere = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, size) == 0 && listen(listener, 8) == 0 && getsockname(listener, $0, &size) == 0
      }
    }
    guard isThere else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    url = "http://127.0.0.1:\(UInt16(bigEndian: name.sin_port))"
  }

  deinit { close(listener) }

  /// Blocks until the client has connected, for a minute at most.
  func takeConnection() throws -> Connection {
    limit(listener, seconds: 60)
    let connection = accept(listener, nil, nil)
    guard connection >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    return Connection(connection)
  }

  final class Connection: Sendable {
    private let connection: Int32

    init(_ connection: Int32) { self.connection = connection }

    deinit { close(connection) }

    /// Whether the client closes it, within 5 seconds: before the time limit of a call to the backend does that.
    func isClosedByClient() -> Bool {
      limit(connection, seconds: 5)
      var buffer = [UInt8](repeating: 0, count: 4096)
      var count = 1
      while count > 0 { count = read(connection, &buffer, buffer.count) }
      return count == 0
    }
  }
}

private func limit(_ descriptor: Int32, seconds: Int) {
  var limit = timeval(tv_sec: seconds, tv_usec: 0)
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
}
