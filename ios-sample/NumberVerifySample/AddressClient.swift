import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// Asks servers over the default network, without the library, for the source addresses that they
/// see. Each request has its own connection: a pooled one would keep its address if the default
/// network changed.
struct AddressClient: Sendable {
  /// Returns the address of the request: as text, or as JSON in `address` or `ip`.
  let echo: String?
  /// The simulator's, which also returns those of a verification.
  let observed: String?

  func defaultAddress() async -> String? {
    guard let echo, let body = await get(echo) else { return nil }
    let json = try? JSONDecoder().decode(Response.self, from: body)
    let text = String(decoding: body, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    let address = json?.address ?? json?.ip ?? text
    return CheckAddresses.network(of: address) == nil ? nil : address
  }

  func operatorAddresses(correlator: String) async -> Set<String>? {
    guard let observed, let body = await get("\(observed)/\(correlator)") else { return nil }
    return (try? JSONDecoder().decode(Response.self, from: body))?.operator.map { Set($0) }
  }

  private struct Response: Decodable {
    let address: String?
    let ip: String?
    let `operator`: [String]?
  }

  /// `nil` for every failure: the step is then not passed.
  private func get(_ text: String) async -> Data? {
    guard let url = URL(string: text) else { return nil }
    if url.scheme == "http" { return await PlainHTTP.get(url) }
    let session = URLSession(configuration: .ephemeral)
    defer { session.finishTasksAndInvalidate() }
    var request = URLRequest(url: url, cachePolicy: .reloadIgnoringLocalCacheData, timeoutInterval: 5)
    request.setValue("close", forHTTPHeaderField: "Connection")
    guard let (body, response) = try? await session.data(for: request) else { return nil }
    return (response as? HTTPURLResponse)?.statusCode == 200 ? body : nil
  }
}

/// GET over plain http, for the simulator: App Transport Security rejects it in `URLSession`, and
/// the app has no exception.
private enum PlainHTTP {
  static func get(_ url: URL) async -> Data? {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async { continuation.resume(returning: response(url)) }
    }
  }

  private static func response(_ url: URL) -> Data? {
    guard let host = url.host, let socket = connected(host, url.port ?? 80) else { return nil }
    defer { close(socket) }
    let request = Array("GET \(url.path) HTTP/1.0\r\nHost: \(host)\r\nConnection: close\r\n\r\n".utf8)
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
    guard let head, received.prefix(12).suffix(4) == Data(" 200".utf8) else { return nil }
    return received[head.upperBound...]
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
      // On Apple systems, also limits connect().
      var timeout = timeval(tv_sec: 5, tv_usec: 0)
      setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
      setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
      #if canImport(Darwin)
        // Otherwise a write to a connection that the server has reset ends the app.
        var isOn: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &isOn, socklen_t(MemoryLayout<Int32>.size))
      #endif
      if connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 { return descriptor }
      close(descriptor)
    }
    return nil
  }
}
