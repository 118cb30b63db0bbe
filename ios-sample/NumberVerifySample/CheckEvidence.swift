import Foundation

/// What the check needs of a verification: read from its trace, which has the same names on all
/// platforms.
struct CheckRun: Equatable, Sendable {
  /// `verified`, `not_verified`, or the error as `kind` or `kind/cause`.
  var outcome: String
  var network: String?
  var correlator = ""
  var totalMs = 0
  var acquireMs: Int?
  var hops: [Hop] = []
  /// The hosts to which it began to open a connection ahead: without those opened before it began.
  var openedAhead: [String] = []
  /// The trace as JSON, which is safe to share.
  var trace: String?

  struct Hop: Equatable, Sendable, Decodable {
    var host: String
    var family: String?
    var dnsMs: Int?
    /// Whether its connection was opened before the request.
    var openedAhead: Bool
  }

  var isBound: Bool { network == "apple_interface" }

  var families: [String] { Set(hops.compactMap(\.family)).sorted() }

  var facts: [String: String] {
    CheckRun.facts([
      "outcome": outcome, "network": network, "total_ms": String(totalMs), "acquire_ms": acquireMs.map(String.init),
      "families": families.joined(separator: ", "), "opened_ahead": String(openedAhead.count),
    ])
  }

  static func facts(_ facts: [String: String?]) -> [String: String] {
    facts.compactMapValues { $0 }.filter { !$0.value.isEmpty }
  }
}

extension CheckRun {
  /// - Throws: `DecodingError` if this is not the JSON of a trace.
  init(trace json: String) throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let trace = try decoder.decode(TraceJSON.self, from: Data(json.utf8))
    self.init(
      outcome: trace.error.map { [$0.kind, $0.cause].compactMap { $0 }.joined(separator: "/") } ?? trace.outcome ?? "no outcome",
      network: trace.network, correlator: trace.correlator ?? "", totalMs: trace.totalMs, acquireMs: trace.acquireMs, hops: trace.hops,
      openedAhead: trace.openedAhead, trace: json)
  }

  private struct TraceJSON: Decodable {
    struct Failure: Decodable {
      let kind: String
      let cause: String?
    }

    let outcome: String?
    let error: Failure?
    let network: String?
    let correlator: String?
    let totalMs: Int
    let acquireMs: Int?
    let hops: [Hop]
    let openedAhead: [String]
  }
}

/// The source addresses of a verification's requests.
struct LibraryAddresses: Equatable, Sendable {
  var backend: Set<String> = []
  /// Of requests to the operator's side.
  var `operator`: Set<String> = []
}

/// The source addresses of the requests that servers received. Never part of a report.
struct CheckAddresses: Equatable, Sendable {
  var before: String?
  var during: String?
  var after: String?
  /// Of the library's requests; `nil` if the server does not report them.
  var library: LibraryAddresses?

  var `default`: [String?] { [before, during, after] }

  /// The part of an address that is the same for all connections from one network: all of an IPv4
  /// address, the first 64 bits of an IPv6 address (the rest changes, RFC 8981). `nil` if it is not
  /// an address.
  static func network(of address: String) -> String? {
    var v4 = in_addr()
    if inet_pton(AF_INET, address, &v4) == 1 { return "ipv4 " + withUnsafeBytes(of: &v4) { dotted($0[...]) } }
    var v6 = in6_addr()
    guard inet_pton(AF_INET6, address, &v6) == 1 else { return nil }
    return withUnsafeBytes(of: &v6) { bytes in
      let isMapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
      return isMapped ? "ipv4 " + dotted(bytes[12...]) : "ipv6 " + dotted(bytes[..<8])
    }
  }

  private static func dotted(_ bytes: Slice<UnsafeRawBufferPointer>) -> String {
    bytes.map { String($0) }.joined(separator: ".")
  }

  static func family(of network: String) -> String { String(network.prefix { $0 != " " }) }
}

/// The phone's networks, as the platform reports them. A value is `nil` if the platform does not
/// report it.
struct PhoneNetworks: Equatable, Sendable {
  /// `wifi`, `cellular`, `other` or `none`.
  var `default`: String
  var hasVPN: Bool
  /// What `check()` returns: `ready`, `wifi_active`, or a cause.
  var status: String
  /// The status of the cellular path.
  var path: String?
  var interfaceName: String?
  var hasIPv4: Bool?
  var hasIPv6: Bool?
  /// Whether IPv4 works over IPv6, without an IPv4 address of the network.
  var has464XLAT: Bool?
  /// Identifies the SIM for mobile data; only compared, never part of a report.
  var dataSIM: String?

  var facts: [String: String] {
    CheckRun.facts([
      "default_network": `default`, "vpn": String(hasVPN), "check": status, "path": path, "interface": interfaceName,
      "ipv4": hasIPv4.map { String($0) }, "ipv6": hasIPv6.map { String($0) }, "464xlat": has464XLAT.map { String($0) },
    ])
  }
}
