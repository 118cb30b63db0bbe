internal import NumberVerifyCore

/// How requests to some hosts on the operator's side differ from all others, for servers that work in one way only.
///
/// Where several hints fit a host, a later one wins over an earlier one, and those of the start response over those of the configuration. No
/// hint applies to the backend's own origin, or permits what is refused without it.
public struct Hint: Sendable, Hashable {
  /// A host name in its ASCII form, such as `login.operator.example`, or `*.operator.example` for all hosts under that name.
  public var host: String

  /// At most 16: `Accept`, `Accept-Language`, `User-Agent`, and names that begin with `X-` (not `X-Correlator`, and none that begins with
  /// `X-Number-Verify-`). Values are 1 to 1,024 characters of printable ASCII. They replace other headers of that name. No place for secrets:
  /// unlike those of other headers, these values may be printed.
  public var headers: [String: String]

  /// Only addresses of this family are used; `nil`: both. A host that is an address itself keeps it.
  public var addressFamily: AddressFamily?

  /// The highest version of TLS that is offered; `nil`: 1.3.
  public var maxTLS: TLSVersion?

  /// A hint for this host. Its rules are checked when a verifier gets it.
  public init(host: String, headers: [String: String] = [:], addressFamily: AddressFamily? = nil, maxTLS: TLSVersion? = nil) {
    self.host = host
    self.headers = headers
    self.addressFamily = addressFamily
    self.maxTLS = maxTLS
  }

  /// Reads hints from a JSON array, in the form in which the start response has them (`docs/backend-api.yaml` in the project):
  ///
  /// ```json
  /// [{"host": "*.operator.example", "headers": {"Accept": "text/html"}, "addressFamily": "ipv4", "maxTls": "1.2"}]
  /// ```
  ///
  /// Members with other names are ignored.
  ///
  /// - Throws: ``VerifyError`` of the kind ``VerifyError/Kind-swift.enum/invalidConfig(setting:)`` if the text is something else, has more than
  ///   16 hints, or if one of them breaks a rule.
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
