import Foundation
import NumberVerify

/// A plain-http backend for the built-in client. Its `start` returns the auth URL of operator A.
final class TestBackend: Sendable {
  /// A response to `start` or `complete`.
  struct Response: Sendable {
    var status = 200
    var contentType = "application/json"
    let body: String

    fileprivate var bytes: String {
      "HTTP/1.1 \(status) Status\r\nContent-Type: \(contentType)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
    }
  }

  private let server: TestServer
  private let received = Received()

  init(start: Response? = nil, complete: Response) throws {
    let authURL = Simulator.shared.authURL(operator: "a", state: "s")
    server = try TestServer { [received] request in
      received.add(request)
      return .bytes((request.hasPrefix("POST /start ") ? start ?? Response(body: #"{"authUrl":"\#(authURL)"}"#) : complete).bytes)
    }
  }

  /// Its base URL.
  var url: String { server.url }

  /// The requests to this path, with head and body.
  func requests(to path: String) -> [String] { received.all.filter { $0.hasPrefix("POST /\(path) ") } }

  /// The bodies of the requests to this path, as JSON objects.
  func bodies(to path: String) throws -> [[String: String]?] {
    try requests(to: path).map { request in
      let body = request.components(separatedBy: "\r\n\r\n").last ?? ""
      return try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: String]
    }
  }
}

private final class Received: @unchecked Sendable {
  private let lock = NSLock()
  private var requests: [String] = []

  var all: [String] { lock.withLock { requests } }

  func add(_ request: String) { lock.withLock { requests.append(request) } }
}

extension NumberVerifier {
  /// Creates a verifier over loopback whose built-in client calls this backend.
  convenience init(_ cellular: any CellularProvider, backend: TestBackend, configure: (inout Configuration) -> Void = { _ in }) throws {
    try self.init(cellular: cellular, backend: backend.url) {
      Simulator.shared.configure(&$0)
      configure(&$0)
    }
  }
}
