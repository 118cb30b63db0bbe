internal import NumberVerifyCore

/// The requests and durations of a verification, also of a failed one. Safe to send to support: it
/// contains no query string, code, phone number or cookie value. All durations are in whole
/// milliseconds; that of a phase that did not occur is `nil`.
public struct Trace: Sendable, Equatable {
  private let core: CoreTrace

  init(_ core: CoreTrace) {
    self.core = core
  }

  /// Creates a trace, for unit tests of apps.
  public init(
    correlator: String = "", network: NetworkKind? = nil, hops: [Hop] = [], openedAhead: [String] = [], startMs: Int? = nil,
    acquireMs: Int? = nil, authorizeMs: Int? = nil, completeMs: Int? = nil, totalMs: Int = 0
  ) {
    core = CoreTrace(
      correlator: correlator,
      network: network?.core,
      hops: hops.map(\.core),
      openedAhead: openedAhead,
      startMs: startMs.map { UInt64(clamping: $0) },
      acquireMs: acquireMs.map { UInt64(clamping: $0) },
      authorizeMs: authorizeMs.map { UInt64(clamping: $0) },
      completeMs: completeMs.map { UInt64(clamping: $0) },
      totalMs: UInt64(clamping: totalMs),
      outcome: nil,
      error: nil)
  }

  /// The value of the `x-correlator` header of all this verification's requests to the backend.
  public var correlator: String { core.correlator }

  /// How connections were bound to the cellular network; `nil` if it was not acquired.
  public var network: NetworkKind? { core.network.map { NetworkKind($0) } }

  /// The requests over the cellular network, in order.
  public var hops: [Hop] { core.hops.map { Hop($0) } }

  /// The hosts to which this verification opened a connection ahead of a request, in order, whether
  /// or not it was used. Excludes those of ``NumberVerifier/prepare()``.
  public var openedAhead: [String] { core.openedAhead }

  /// The backend's start call.
  public var startMs: Int? { core.startMs.map { Int($0) } }

  /// Acquiring the cellular network, concurrently with the start call.
  public var acquireMs: Int? { core.acquireMs.map { Int($0) } }

  /// All requests over the cellular network.
  public var authorizeMs: Int? { core.authorizeMs.map { Int($0) } }

  /// The backend's complete call.
  public var completeMs: Int? { core.completeMs.map { Int($0) } }

  /// The whole verification.
  public var totalMs: Int { Int(core.totalMs) }

  /// The trace as a JSON object, including how the verification ended (`docs/trace.schema.json` in
  /// the repository).
  public func json() -> String { core.toJson() }

  /// The trace as a plain-text table, for a monospaced font.
  public func table() -> String { core.toTable() }

  /// The trace in words, in English, for developers and support: what happened, which request
  /// failed, what to do, and whom to contact with which identifiers.
  public func explanation() -> String { core.explain() }
}

extension Trace: CustomStringConvertible {
  /// Same as ``table()``.
  public var description: String { table() }
}

/// One request over the cellular network. Durations are in milliseconds; that of a phase that did
/// not occur is `nil`.
public struct Hop: Sendable, Hashable {
  fileprivate let core: NumberVerifyCore.Hop

  init(_ core: NumberVerifyCore.Hop) {
    self.core = core
  }

  /// Creates a request, for unit tests of apps.
  public init(
    host: String, status: Int? = nil, index: Int = 1, scheme: String = "https", dnsMs: Int? = nil, connectMs: Int? = nil,
    tlsMs: Int? = nil, firstByteMs: Int? = nil, isReused: Bool = false, isOpenedAhead: Bool = false, isTLSResumed: Bool = false,
    family: AddressFamily? = nil, tlsVersion: TLSVersion? = nil, traceIDs: [String: String] = [:], bytesIn: Int = 0, bytesOut: Int = 0,
    pageTitle: String? = nil
  ) {
    core = NumberVerifyCore.Hop(
      index: UInt32(clamping: index),
      scheme: scheme,
      host: host,
      status: status.map { UInt16(clamping: $0) },
      dnsMs: dnsMs.map { UInt64(clamping: $0) },
      connectMs: connectMs.map { UInt64(clamping: $0) },
      tlsMs: tlsMs.map { UInt64(clamping: $0) },
      firstByteMs: firstByteMs.map { UInt64(clamping: $0) },
      reused: isReused,
      openedAhead: isOpenedAhead,
      tlsResumed: isTLSResumed,
      bytesIn: UInt64(clamping: bytesIn),
      bytesOut: UInt64(clamping: bytesOut),
      family: family?.core,
      tlsVersion: tlsVersion?.core,
      traceIds: traceIDs,
      pageTitle: pageTitle)
  }

  /// The position in the redirect chain, counted from 1.
  public var index: Int { Int(core.index) }

  /// `http` or `https`.
  public var scheme: String { core.scheme }

  /// The host, without path and query.
  public var host: String { core.host }

  /// The HTTP status; `nil` if there was no response.
  public var status: Int? { core.status.map { Int($0) } }

  /// DNS lookup; `nil` if the connection was reused or the host is an IP address.
  public var dnsMs: Int? { core.dnsMs.map { Int($0) } }

  /// TCP connect, or waiting for a connection that is being opened ahead.
  public var connectMs: Int? { core.connectMs.map { Int($0) } }

  /// The TLS handshake.
  public var tlsMs: Int? { core.tlsMs.map { Int($0) } }

  /// From the request to the end of the response headers.
  public var firstByteMs: Int? { core.firstByteMs.map { Int($0) } }

  /// Whether an open connection was reused.
  public var isReused: Bool { core.reused }

  /// Whether the connection was opened ahead of this request, by ``NumberVerifier/prepare()`` or by
  /// a verification; ``dnsMs`` and ``tlsMs`` are then `nil`.
  public var isOpenedAhead: Bool { core.openedAhead }

  /// Whether TLS resumed an earlier session.
  public var isTLSResumed: Bool { core.tlsResumed }

  /// The address family of the remote address; `nil` if there was no connection.
  public var family: AddressFamily? { core.family.map { AddressFamily($0) } }

  /// The TLS version; `nil` for plain http.
  public var tlsVersion: TLSVersion? { core.tlsVersion.map { TLSVersion($0) } }

  /// The server's request identifiers by response header, for the operator's support:
  /// `x-correlator`, `x-request-id`, `x-correlation-id`, `traceparent` (W3C Trace Context),
  /// `x-orange-trace-id`, `x-vig-trace-id`, `x-amz-cf-id`, `cf-ray`. A value has at most 128
  /// characters of `A-Z a-z 0-9 . _ : / = + -`; one that contains a secret of the verification is
  /// omitted.
  public var traceIDs: [String: String] { core.traceIds }

  /// Bytes received on the socket, TLS included.
  public var bytesIn: Int { Int(core.bytesIn) }

  /// Bytes sent on the socket, TLS included.
  public var bytesOut: Int { Int(core.bytesOut) }

  /// The title of an unexpected page, at most 80 characters; `nil` if it contains the phone number
  /// or another secret of the verification.
  public var pageTitle: String? { core.pageTitle }
}

extension Hop: CustomStringConvertible {
  /// Index, scheme, host and status.
  public var description: String {
    "Hop(\(index), \(scheme)://\(host), status \(status.map(String.init) ?? "none"))"
  }
}

/// An address family.
public enum AddressFamily: Sendable, Hashable {
  case ipv4
  case ipv6
}

/// A TLS version. Older versions are not supported (RFC 8996).
public enum TLSVersion: Sendable, Hashable {
  /// 1.2 (RFC 5246).
  case tls12
  /// 1.3 (RFC 8446).
  case tls13
}

/// How the connections over the cellular network were bound.
public enum NetworkKind: Sendable, Hashable {
  /// To an Android `Network`.
  case androidNetwork
  /// To a network interface, on an Apple platform.
  case appleInterface
  /// To a network interface, on Linux.
  case linuxInterface
  /// Not bound; development only.
  case unbound
}
