import Dispatch
import ForeignStream
import Foundation
import Glibc

/// A blocking socket: one queue reads, another one connects and writes. The descriptor is closed
/// with the object, when no call uses it.
final class TCPConnection: Connection, Sendable {
  private let descriptor: Int32
  private let address: SocketAddress
  private let reads = DispatchQueue(label: "reads")
  private let writes = DispatchQueue(label: "writes")

  init(address: SocketAddress) throws {
    descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw ConnectionError.Failed }
    self.address = address
  }

  deinit { _ = Glibc.close(descriptor) }

  func connect() async throws -> String {
    try await on(writes) {
      guard self.address.connect(self.descriptor) else { throw failure() }
      var noDelay: Int32 = 1
      setsockopt(self.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &noDelay, socklen_t(MemoryLayout<Int32>.size))
      return try SocketAddress.peer(of: self.descriptor)
    }
  }

  func read(max: UInt32) async throws -> Data {
    try await on(reads) {
      var bytes = Data(count: Int(max))
      let length = bytes.withUnsafeMutableBytes { recv(self.descriptor, $0.baseAddress, $0.count, 0) }
      guard length >= 0 else { throw failure() }
      return bytes.prefix(length)
    }
  }

  func write(bytes: Data) async throws {
    try await on(writes) {
      var rest = bytes
      while !rest.isEmpty {
        let length = rest.withUnsafeBytes { send(self.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard length >= 0 else { throw failure() }
        rest = rest.dropFirst(length)
      }
    }
  }

  /// Also ends a blocked `connect()` and a blocked `read(max:)`.
  func close() throws {
    shutdown(descriptor, Int32(SHUT_RDWR))
  }

  private func on<T: Sendable>(_ queue: DispatchQueue, _ work: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Result(catching: work)) }
    }
  }
}

/// The reason of the last system call's failure.
private func failure() -> ConnectionError {
  switch errno {
  case ENETUNREACH, EHOSTUNREACH: .Unreachable
  case ECONNRESET, EPIPE, ENOTCONN: .Closed
  default: .Failed
  }
}
