internal import NumberVerifyCore

/// Adjusts the requests to some hosts on the operator's side, for servers with special
/// requirements.
///
/// If several hints match a host, later hints take precedence over earlier ones, and those of the
/// start response over those of the configuration. Hints never apply to the backend's origin, and
/// never permit what is rejected without them.
public struct Hint: Sendable, Hashable {
  /// A host name in ASCII (Punycode) form, such as `login.operator.example`, or
  /// `*.operator.example` for all its subdomains.
  public var host: String

  /// At most 16 headers: `Accept`, `Accept-Language`, `User-Agent`, and names that begin with `X-`
  /// (except `X-Correlator` and names that begin with `X-Number-Verify-`). Values are 1 to 1,024
  /// characters of printable ASCII. They replace other headers of that name. Not for secrets:
  /// unlike those of other headers, these values may be included in `description` and `dump`.
  public var headers: [String: String]

  /// Restricts DNS results to this address family. Defaults to `nil`: both. Does not affect a host
  /// that is an IP address.
  public var addressFamily: AddressFamily?

  /// The highest TLS version to offer. Defaults to `nil`: 1.3.
  public var maxTLS: TLSVersion?

  /// Creates a hint for this host. It is validated when it is passed to a verifier.
  public init(host: String, headers: [String: String] = [:], addressFamily: AddressFamily? = nil, maxTLS: TLSVersion? = nil) {
    self.host = host
    self.headers = headers
    self.addressFamily = addressFamily
    self.maxTLS = maxTLS
  }

  /// Decodes hints from a JSON array in the format of the start response (`docs/backend-api.yaml`
  /// in the project):
  ///
  /// ```json
  /// [{"host": "*.operator.example", "headers": {"Accept": "text/html"}, "addressFamily": "ipv4", "maxTls": "1.2"}]
  /// ```
  ///
  /// Members with other names are ignored.
  ///
  /// - Parameter json: the JSON text.
  /// - Returns: the hints, in order.
  /// - Throws: ``VerifyError`` of kind ``VerifyError/Kind-swift.enum/invalidConfig(setting:)`` if
  ///   the text is not such an array, contains more than 16 hints, or contains an invalid hint.
  public static func hints(fromJSON json: String) throws -> [Hint] {
    do {
      return try coreHintsFromJson(json: json).map(Hint.init)
    } catch {
      throw VerifyError(error, trace: nil)
    }
  }
}

extension Hint {
  private init(_ core: NumberVerifyCore.Hint) {
    self.init(
      host: core.host,
      headers: core.headers,
      addressFamily: core.addressFamily.map { AddressFamily($0) },
      maxTLS: core.maxTls.map { TLSVersion($0) })
  }

  var core: NumberVerifyCore.Hint {
    NumberVerifyCore.Hint(host: host, headers: headers, addressFamily: addressFamily?.core, maxTls: maxTLS?.core)
  }
}
