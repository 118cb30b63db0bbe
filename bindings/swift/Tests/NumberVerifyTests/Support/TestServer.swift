import Foundation

/// A plain-http server with raw responses defined by the test. Replaces a host of operator B to
/// which the simulator redirects (the third request of a verification), or a backend.
final class TestServer: @unchecked Sendable {
  enum Reply: Sendable {
    /// Sends these bytes, then closes the connection.
    case bytes(String)
    /// Keeps the connection open without a response.
    case silence
  }

  /// `HOST:PORT:ADDRESS`, for `resolve`.
  let resolve: String
  /// Its URL with the address as the host.
  let url: String
  /// Sent when a request arrives.
  let reached = Signal()
  private let address: String
  private let listener: Int32

  static let host = "enrich.operator-b.simulator.test"

  /// Starts a server. Each has a separate loopback address, so that several can run concurrently.
  init(_ reply: @escaping @Sendable (_ request: String) -> Reply) throws {
    let port = Simulator.shared.httpPort
    address = "127.0.1.\(Self.nextNumber())"
    resolve = "\(Self.host):\(port):\(address)"
    url = "http://\(address):\(port)"
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    self.listener = listener
    // The tests run in several processes in sequence: the previous one may have used this address.
    var yes: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout.size(ofValue: yes)))
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = inet_addr(address)
    let bound = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
    guard listener >= 0, bound == 0, listen(listener, 64) == 0 else {
      throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
    }
    Thread.detachNewThread { [reached] in
      while true {
        let connection = accept(listener, nil, nil)
        if connection < 0 { break }
        Self.respond(connection, reply, reached)
      }
      // Closed only after `accept` has returned: another server may reuse the descriptor.
      close(listener)
    }
  }

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
  }

  private static func respond(_ connection: Int32, _ reply: (String) -> Reply, _ reached: Signal) {
    var request = [UInt8]()
    var buffer = [UInt8](repeating: 0, count: 4096)
    while !isComplete(request) {
      let count = read(connection, &buffer, buffer.count)
      if count <= 0 { break }
      request += buffer[..<count]
    }
    reached.send()
    if case .bytes(let text) = reply(String(decoding: request, as: UTF8.self)) {
      _ = Array(text.utf8).withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    } else {
      while read(connection, &buffer, buffer.count) > 0 {}
    }
    close(connection)
  }

  /// Whether the request has a complete head and the body length that it declares.
  private static func isComplete(_ request: [UInt8]) -> Bool {
    let parts = String(decoding: request, as: UTF8.self).components(separatedBy: "\r\n\r\n")
    let length = parts[0].lowercased().components(separatedBy: "\r\n").first { $0.hasPrefix("content-length:") }
    return parts.count > 1 && parts[1].utf8.count >= length.flatMap { Int($0.dropFirst(15).trimmingPrefix(" ")) } ?? 0
  }

  private static let lock = NSLock()
  nonisolated(unsafe) private static var number = 0

  private static func nextNumber() -> Int {
    lock.withLock {
      number += 1
      return number
    }
  }
}

/// Returns `state` from a request's URL.
func state(in request: String) -> String {
  let url = request.split(separator: " ").dropFirst().first.map(String.init) ?? ""
  return URLComponents(string: url)?.queryItems?.first { $0.name == "state" }?.value ?? ""
}
