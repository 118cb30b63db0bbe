import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// Requests from servers the source addresses of requests, over the default network and without the
/// library. Each request has its own connection: a pooled one would keep its address if the default
/// network changed.
struct AddressClient: Sendable {
  /// Returns the address of the request: as text, or as JSON in `address` or `ip`.
  let echo: String?
  /// The simulator's, which also returns those of a verification.
  let observed: String?

  func defaultAddress() async -> String? {
    guard let echo, let (status, body) = await get(echo), status == 200 else { return nil }
    let json = try? JSONDecoder().decode(Response.self, from: body)
    let text = String(decoding: body, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    let address = json?.address ?? json?.ip ?? text
    return CheckAddresses.network(of: address) == nil ? nil : address
  }

  func libraryAddresses(correlator: String) async -> LibraryAddresses? {
    guard let observed, let (status, body) = await get("\(observed)/\(correlator)") else { return nil }
    // The simulator received no request of this verification.
    if status == 404 { return LibraryAddresses() }
    guard status == 200, let response = try? JSONDecoder().decode(Response.self, from: body) else { return nil }
    guard let backend = response.backend, let `operator` = response.operator else { return nil }
    return LibraryAddresses(backend: Set(backend), operator: Set(`operator`))
  }

  private struct Response: Decodable {
    let address: String?
    let ip: String?
    let backend: [String]?
    let `operator`: [String]?
  }

  /// Status and body; `nil` without a response: the step is then not passed.
  private func get(_ text: String) async -> (Int, Data)? {
    guard let url = URL(string: text) else { return nil }
    if url.scheme == "http" { return await PlainHTTP.get(url) }
    let session = URLSession(configuration: .ephemeral)
    defer { session.finishTasksAndInvalidate() }
    var request = URLRequest(url: url, cachePolicy: .reloadIgnoringLocalCacheData, timeoutInterval: 5)
    request.setValue("close", forHTTPHeaderField: "Connection")
    guard let (body, response) = try? await session.data(for: request) else { return nil }
    return (response as? HTTPURLResponse).map { ($0.statusCode, body) }
  }
}

/// GET over plain http, for the simulator: App Transport Security rejects it in `URLSession`, and
/// the app has no exception.
enum PlainHTTP {
  private static let timeoutMs: Int32 = 5_000

  static func get(_ url: URL) async -> (Int, Data)? {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async { continuation.resume(returning: response(url)) }
    }
  }

  static func request(_ url: URL) -> String? {
    guard let parts = URLComponents(url: url, resolvingAgainstBaseURL: true), let host = host(of: url) else { return nil }
    let path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
    let target = path + (parts.percentEncodedQuery.map { "?\($0)" } ?? "")
    let authority = (host.contains(":") ? "[\(host)]" : host) + (url.port.map { ":\($0)" } ?? "")
    return "GET \(target) HTTP/1.0\r\nHost: \(authority)\r\nConnection: close\r\n\r\n"
  }

  /// An IPv6 address is without brackets, which not all versions of Foundation remove.
  private static func host(of url: URL) -> String? { url.host?.trimmingCharacters(in: CharacterSet(charactersIn: "[]")) }

  private static func response(_ url: URL) -> (Int, Data)? {
    guard let host = host(of: url), let request = request(url).map({ Array($0.utf8) }) else { return nil }
    guard let socket = connected(host, url.port ?? 80) else { return nil }
    defer { close(socket) }
    guard send(socket, request, request.count, 0) == request.count else { return nil }
    var received = Data()
    var buffer = [UInt8](repeating: 0, count: 4096)
    while received.count < 65_536 {
      let count = recv(socket, &buffer, buffer.count, 0)
      if count < 0 { return nil }
      if count == 0 { break }
      received.append(contentsOf: buffer[..<count])
    }
    let head = received.range(of: Data("\r\n\r\n".utf8))
    guard let head, let status = Int(String(decoding: received.prefix(12).suffix(3), as: UTF8.self)) else { return nil }
    return (status, Data(received[head.upperBound...]))
  }

  private static func connected(_ host: String, _ port: Int) -> Int32? {
    var first: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(port), nil, &first) == 0 else { return nil }
    defer { freeaddrinfo(first) }
    var next = first
    while let address = next?.pointee {
      next = address.ai_next
      guard address.ai_protocol == Int32(IPPROTO_TCP) else { continue }
      let descriptor = socket(address.ai_family, address.ai_socktype, address.ai_protocol)
      guard descriptor >= 0 else { continue }
      var timeout = timeval(tv_sec: Int(timeoutMs / 1_000), tv_usec: 0)
      setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
      setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
      #if canImport(Darwin)
        // Otherwise a write to a connection that the server has reset ends the app.
        var isOn: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &isOn, socklen_t(MemoryLayout<Int32>.size))
      #endif
      if isConnected(descriptor, to: address) { return descriptor }
      close(descriptor)
    }
    return nil
  }

  /// Nonblocking, because no socket option limits `connect` on Apple systems.
  private static func isConnected(_ descriptor: Int32, to address: addrinfo) -> Bool {
    let flags = fcntl(descriptor, F_GETFL)
    guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 else { return false }
    if connect(descriptor, address.ai_addr, address.ai_addrlen) != 0 {
      var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      guard errno == EINPROGRESS, poll(&state, 1, timeoutMs) == 1 else { return false }
      var error: Int32 = 0
      var size = socklen_t(MemoryLayout<Int32>.size)
      guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) == 0, error == 0 else { return false }
    }
    return fcntl(descriptor, F_SETFL, flags) == 0
  }
}
