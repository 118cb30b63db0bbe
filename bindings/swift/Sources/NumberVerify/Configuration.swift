internal import NumberVerifyCore

extension NumberVerifier {
  /// The settings of a ``NumberVerifier``. All have defaults that are suitable for production.
  ///
  /// ```swift
  /// let verifier = try NumberVerifier(backend: "https://api.example.com/number-verify") {
  ///   $0.addHeader("Authorization", "Bearer \(accessToken)")
  ///   $0.deadlines.overallMs = 15_000
  /// }
  /// ```
  public struct Configuration: Sendable, Equatable {
    /// The path of the `start` call under the base URL. Defaults to `start`.
    public var startPath = "start"

    /// The path of the `complete` call under the base URL. Defaults to `complete`.
    public var completePath = "complete"

    /// The path of the `abort` call under the base URL. Defaults to `nil`: the call is disabled. It
    /// informs the backend, in the background and at most once, that a verification ended after
    /// `start` without a result, so that the backend can end the session and release the resources
    /// that its provider holds. Only the built-in client calls it, not a custom ``Backend``.
    public var abortPath: String?

    /// Which hosts receive the headers of ``addOperatorHeader(_:_:)``. Defaults to
    /// ``OperatorHeaders/firstHost``.
    public var operatorHeadersTo = OperatorHeaders.firstHost

    /// How the authorization code is delivered to the backend. Defaults to ``CodeDelivery/relay``.
    public var codeDelivery = CodeDelivery.relay

    /// The redirect URI (RFC 6749, section 3.1.2). Defaults to `nil`. Required if it is in neither
    /// the auth URL nor the start response.
    public var redirectURI: String?

    /// After how many milliseconds a running verification reports
    /// ``NumberVerifier/Progress/slow(atMs:)``, 1 to 86,400,000. Defaults to 4,000.
    public var slowAfterMs = 4_000

    /// The maximum number of redirects, 1 to 15. Defaults to 15.
    public var redirectLimit = 15

    /// Whether to follow plain http on the operator's side, where operators insert the subscriber's
    /// identity. Defaults to ``Cleartext/onRedirects``. App Transport Security does not apply to
    /// these connections: this setting is the only control.
    public var cleartext = Cleartext.onRedirects

    /// Whether to open connections before they are needed: to hosts that followed each other in
    /// earlier verifications of this verifier, and to the backend in ``NumberVerifier/prepare()``.
    /// Defaults to `true`. The hosts are stored in memory only, for an hour at most;
    /// ``NumberVerifier/forgetHosts()`` clears them. If `false`, every new host costs a DNS lookup,
    /// a connection and a TLS handshake while the user waits.
    public var openAhead = true

    /// The origin of the auth URL, such as `https://auth.example.com`, if the backend's provider
    /// always uses the same one. Defaults to `nil`. A connection to it is then opened ahead over
    /// the cellular network, even if no verification of this verifier has used it, which saves the
    /// first verification three round trips.
    public var authOrigin: String?

    /// The `User-Agent` of all requests. Defaults to `nil`: the name and version of this library.
    public var userAgent: String?

    /// Request adjustments for some of the operator's hosts, at most 16. Defaults to none. The
    /// start response may contain more, which do not require an app release.
    public var hints: [Hint] = []

    /// Timeouts.
    public var deadlines = Deadlines()

    /// JSON field names of the backend.
    public var fieldNames = FieldNames()

    /// Exceptions for development.
    public var development = Development()

    private var headers: [Header] = []
    private var operatorHeaders: [Header] = []

    private struct Header: Equatable {
      let name: String
      let value: Secret
    }

    init(_ configure: (inout Self) -> Void) {
      configure(&self)
    }

    /// Adds a header to the built-in client's calls to the backend, such as `Authorization`. It is
    /// never sent to an operator, and its value is not included in `description` or `dump`.
    public mutating func addHeader(_ name: String, _ value: String) {
      headers.append(Header(name: name, value: Secret(value)))
    }

    /// Adds a header to the requests to the operator. It may replace `Accept` and `User-Agent`. Its
    /// value is not included in `description` or `dump`.
    public mutating func addOperatorHeader(_ name: String, _ value: String) {
      operatorHeaders.append(Header(name: name, value: Secret(value)))
    }
  }
}

extension NumberVerifier.Configuration {
  /// Timeouts in milliseconds, each 1 to 86,400,000 (a day). ``overallMs`` takes precedence.
  ///
  /// The defaults are for a user at a sign-in screen: after
  /// ``NumberVerifier/Configuration/slowAfterMs`` the app can offer another channel while the
  /// verification continues. Timeouts therefore need not be short for the user's sake; they end
  /// calls that will not complete.
  public struct Deadlines: Sendable, Hashable {
    /// The whole verification. Defaults to 20,000: beyond this, another channel is faster.
    public var overallMs = 20_000

    /// Acquiring the cellular network. Defaults to 8,000: an idle radio takes 1 to 3 seconds, one
    /// that must register with the network takes longer.
    public var acquireMs = 8_000

    /// DNS, TCP connect and TLS handshake, per host. Defaults to 5,000: three round trips, and time
    /// to retransmit a lost packet.
    public var connectMs = 5_000

    /// From a request to its response headers; then again until the end of a body that is read.
    /// Defaults to 8,000: operators look up the SIM during this time.
    public var answerMs = 8_000

    /// Each call to the backend. Defaults to 8,000: it calls the provider during this time.
    public var backendMs = 8_000
  }

  /// JSON field names in the requests to the backend and in its responses.
  public struct FieldNames: Sendable, Hashable {
    /// In the start request, and in the response of `complete` and of the callback with the result
    /// of a retrieval, where `devicePhoneNumber` is accepted too. Must not be `purpose` or
    /// `devicePhoneNumberVerified`. Defaults to `phoneNumber`.
    public var phoneNumber = "phoneNumber"

    /// In the start response. Defaults to `authUrl`.
    public var authURL = "authUrl"

    /// In the start response; optional. Defaults to `redirectUri`.
    public var redirectURI = "redirectUri"

    /// In the start response, where it is optional, and in the complete request. Defaults to
    /// `session`.
    public var session = "session"

    /// In the start response, where it is optional, and in the complete request. Defaults to
    /// `state`.
    public var state = "state"

    /// In the complete request. Defaults to `code`.
    public var code = "code"

    /// In the response of `complete` and of the callback with the result of a verification, where
    /// `devicePhoneNumberVerified` is accepted too. Must not be `devicePhoneNumber`. Defaults to
    /// `verified`.
    public var verified = "verified"
  }

  /// Exceptions for development. Do not use them in a release.
  public struct Development: Sendable, Hashable {
    /// Uses the system's default network instead of the cellular network, for example in Apple's
    /// simulator or with a test server. Defaults to `false`. On someone else's hotspot, this would
    /// verify *their* number, so it is rejected with
    /// ``VerifyError/Kind-swift.enum/invalidConfig(setting:)`` except in a debug build or in
    /// Apple's simulator. With a custom ``CellularProvider``, it allows ``NetworkBinding/unbound``.
    public var anyNetwork = false

    /// Allows plain http for any backend host. Defaults to `false`: loopback only.
    public var allowHTTPBackend = false

    /// Additional root certificates in PEM format, for the backend and the operators. Defaults to
    /// none.
    public var rootCertificates: [String] = []

    /// Fixed addresses for a host and port, `HOST:PORT:ADDRESS[,ADDRESS]`, IPv6 in brackets.
    /// Defaults to none. Such a host and port bypasses the address policy.
    public var resolve: [String] = []

    /// DNS servers for the cellular network, `ADDRESS` or `ADDRESS:PORT`; Linux only. Defaults to
    /// those of `resolv.conf`.
    public var dnsServers: [String] = []
  }
}

extension NumberVerifier.Configuration {
  /// Values out of range stay out of range, so that the core rejects them.
  func core(backendURL: String, isDevelopment: Bool = Environment.isDevelopment) throws -> Config {
    if development.anyNetwork && !isDevelopment {
      throw VerifyError(CoreError.InvalidConfig(setting: .allowUnbound), trace: nil)
    }
    return Config(
      backendUrl: backendURL,
      startPath: startPath,
      completePath: completePath,
      abortPath: abortPath,
      headers: headers.map { NumberVerifyCore.Header(name: $0.name, value: $0.value.text) },
      operatorHeaders: operatorHeaders.map { NumberVerifyCore.Header(name: $0.name, value: $0.value.text) },
      operatorHeadersTo: operatorHeadersTo.core,
      hints: hints.map(\.core),
      fieldNames: NumberVerifyCore.FieldNames(
        phoneNumber: fieldNames.phoneNumber,
        authUrl: fieldNames.authURL,
        redirectUri: fieldNames.redirectURI,
        session: fieldNames.session,
        state: fieldNames.state,
        code: fieldNames.code,
        verified: fieldNames.verified
      ),
      codeDelivery: codeDelivery.core,
      redirectUri: redirectURI,
      deadlines: NumberVerifyCore.Deadlines(
        overallMs: UInt64(clamping: deadlines.overallMs),
        acquireMs: UInt64(clamping: deadlines.acquireMs),
        connectMs: UInt64(clamping: deadlines.connectMs),
        answerMs: UInt64(clamping: deadlines.answerMs),
        backendMs: UInt64(clamping: deadlines.backendMs)
      ),
      slowAfterMs: UInt64(clamping: slowAfterMs),
      redirectLimit: UInt8(clamping: redirectLimit),
      cleartext: cleartext.core,
      openAhead: openAhead,
      authOrigin: authOrigin,
      userAgent: userAgent,
      development: NumberVerifyCore.Development(
        allowUnbound: development.anyNetwork,
        allowHttpBackend: development.allowHTTPBackend,
        rootCertificates: development.rootCertificates,
        resolve: development.resolve,
        dnsServers: development.dnsServers
      )
    )
  }
}

/// Which hosts on the operator's side receive the additional headers.
public enum OperatorHeaders: Sendable, Hashable {
  /// The host of the auth URL only.
  case firstHost
  /// All hosts.
  case allHosts
}

/// How the authorization code is delivered from the operator to the backend.
public enum CodeDelivery: Sendable, Hashable {
  /// The phone reads the code from the redirect to the redirect URI (which is not fetched) or from
  /// a JSON response, and posts it with `complete`. Recommended.
  case relay
  /// The redirect URI belongs to the backend: the phone fetches it, and the backend's response is
  /// the result. Safe only if the backend rejects a callback without proof of the session (its
  /// cookie or `X-Number-Verify-Session`).
  case followThrough
  /// There is no code: the final 2xx response ends the redirect chain, and `complete` requests the
  /// result. Weaker, because the result cannot be bound to this phone.
  case noCode
}

/// Whether to follow plain http on the operator's side, where operators insert the subscriber's
/// identity (header enrichment).
public enum Cleartext: Sendable, Hashable {
  /// Followed on redirects; never for the auth URL, never with this verification's code.
  case onRedirects
  /// Rejected. Some operators will not work.
  case never
}
