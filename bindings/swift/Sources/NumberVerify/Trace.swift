internal import NumberVerifyCore

/// What a verification did and how long it took, also one that failed. Safe to send to support: it holds no query string, code, phone number
/// or cookie value. All times are whole milliseconds; a time that was not spent is `nil`.
public struct Trace: Sendable, Equatable {
  private let core: CoreTrace

  init(_ core: CoreTrace) {
    self.core = core
  }

  /// A trace for an app's own tests.
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
      totalMs: UInt64(clamping: totalMs))
  }

  /// The random value of the `x-correlator` header that all of this verification's requests to the backend carried.
  public var correlator: String { core.correlator }

  /// How connections were bound to the cellular network; `nil` before the network was there.
  public var network: NetworkKind? { core.network.map { NetworkKind($0) } }

  /// The requests over the cellular network, in order.
  public var hops: [Hop] { core.hops.map { Hop($0) } }

  /// The hosts to which this verification opened a connection ahead of a request, in order, whether or not that was used then. Those of
  /// ``NumberVerifier/prepare()`` are not among them.
  public var openedAhead: [String] { core.openedAhead }

  /// The backend's start call.
  public var startMs: Int? { core.startMs.map { Int($0) } }

  /// Bringing up the cellular network; it runs beside the start call.
  public var acquireMs: Int? { core.acquireMs.map { Int($0) } }

  /// All requests over the cellular network.
  public var authorizeMs: Int? { core.authorizeMs.map { Int($0) } }

  /// The backend's complete call.
  public var completeMs: Int? { core.completeMs.map { Int($0) } }

  /// The whole verification.
  public var totalMs: Int { Int(core.totalMs) }

  /// The trace as a JSON object.
  public func json() -> String { core.toJson() }

  /// The trace as a table in plain text, for a fixed-width font.
  public func table() -> String { core.toTable() }
}

extension Trace: CustomStringConvertible {
  /// As ``table()``.
  public var description: String { table() }
}

/// One request over the cellular network. Times are in milliseconds; one that was not spent is `nil`.
public struct Hop: Sendable, Hashable {
  fileprivate let core: NumberVerifyCore.Hop

  init(_ core: NumberVerifyCore.Hop) {
    self.core = core
  }

  /// A request for an app's own tests.
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

  /// Counted from 1.
  public var index: Int { Int(core.index) }

  /// `http` or `https`.
  public var scheme: String { core.scheme }

  /// The host, without path and query.
  public var host: String { core.host }

  /// The HTTP status; `nil` where no answer came.
  public var status: Int? { core.status.map { Int($0) } }

  /// Resolving the name; `nil` on a connection that was reused, or for an address.
  public var dnsMs: Int? { core.dnsMs.map { Int($0) } }

  /// Opening the TCP connection, or waiting for one that is being opened ahead.
  public var connectMs: Int? { core.connectMs.map { Int($0) } }

  /// The TLS handshake.
  public var tlsMs: Int? { core.tlsMs.map { Int($0) } }

  /// From the request to the complete headers of its answer.
  public var firstByteMs: Int? { core.firstByteMs.map { Int($0) } }

  /// Whether an open connection was used again.
  public var isReused: Bool { core.reused }

  /// Whether the connection was opened ahead of this request, by ``NumberVerifier/prepare()`` or by a verification; ``dnsMs`` and ``tlsMs``
  /// are `nil` then.
  public var isOpenedAhead: Bool { core.openedAhead }

  /// Whether TLS resumed an earlier session.
  public var isTLSResumed: Bool { core.tlsResumed }

  /// The family of the address that the connection leads to; `nil` where there was no connection.
  public var family: AddressFamily? { core.family.map { AddressFamily($0) } }

  /// The version of TLS; `nil` on plain http.
  public var tlsVersion: TLSVersion? { core.tlsVersion.map { TLSVersion($0) } }

  /// The names that the server gave this request in its own logs, by the header that they came in, for the operator's support:
  /// `x-correlator`, `x-request-id`, `x-correlation-id`, `traceparent` (W3C Trace Context), `x-orange-trace-id`, `x-vig-trace-id`,
  /// `x-amz-cf-id`, `cf-ray`. A value has at most 128 characters of `A-Z a-z 0-9 . _ : / = + -`; one that contains a secret of the
  /// verification is left out.
  public var traceIDs: [String: String] { core.traceIds }

  /// Bytes received on the socket, TLS included.
  public var bytesIn: Int { Int(core.bytesIn) }

  /// Bytes sent on the socket, TLS included.
  public var bytesOut: Int { Int(core.bytesOut) }

  /// The title of an unexpected page, at most 80 characters, absent if it contains the phone number or another secret
  /// of the verification.
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

/// A version of TLS. Older ones are not spoken (RFC 8996).
public enum TLSVersion: Sendable, Hashable {
  /// 1.2 (RFC 5246).
  case tls12
  /// 1.3 (RFC 8446).
  case tls13
}

/// How the connections of the cellular leg were bound.
public enum NetworkKind: Sendable, Hashable {
  /// To an Android network.
  case androidNetwork
  /// To an interface of an Apple system.
  case appleInterface
  /// To an interface of a Linux system.
  case linuxInterface
  /// Not at all: development only.
  case unbound
}
