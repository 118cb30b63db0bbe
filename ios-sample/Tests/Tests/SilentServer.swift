import Foundation

/// A plain-http backend that never responds.
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
    let isListening = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, size) == 0 && listen(listener, 8) == 0 && getsockname(listener, $0, &size) == 0
      }
    }
    guard isListening else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    url = "http://127.0.0.1:\(UInt16(bigEndian: name.sin_port))"
  }

  deinit { close(listener) }

  /// Blocks until the client connects, for a minute at most.
  func takeConnection() throws -> Connection {
    setReadTimeout(listener, seconds: 60)
    let connection = accept(listener, nil, nil)
    guard connection >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    return Connection(connection)
  }

  final class Connection: Sendable {
    private let connection: Int32

    init(_ connection: Int32) { self.connection = connection }

    deinit { close(connection) }

    /// Whether the client closes the connection within 5 seconds, which is before the backend
    /// timeout would close it.
    func isClosedByClient() -> Bool {
      setReadTimeout(connection, seconds: 5)
      var buffer = [UInt8](repeating: 0, count: 4096)
      var count = 1
      while count > 0 { count = read(connection, &buffer, buffer.count) }
      return count == 0
    }
  }
}

private func setReadTimeout(_ descriptor: Int32, seconds: Int) {
  var timeout = timeval(tv_sec: seconds, tv_usec: 0)
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
}
