internal import NumberVerifyCore

extension NumberVerifier {
  /// The settings of a ``NumberVerifier``. All have defaults that suit an app in production.
  ///
  /// ```swift
  /// let verifier = try NumberVerifier(backend: "https://api.example.com/number-verify") {
  ///   $0.addHeader("Authorization", "Bearer …")
  ///   $0.deadlines.overallMs = 15_000
  /// }
  /// ```
  public struct Configuration: Sendable, Equatable {
    /// The path of the `start` call under the base URL.
    public var startPath = "start"

    /// The path of the `complete` call under the base URL.
    public var completePath = "complete"

    /// The path of the `abort` call under the base URL. Defaults to `nil`: it is not called. It informs the backend, in the background and at
    /// most once, that a verification ended after `start` without a result, so that the backend can end the session and release what its
    /// provider holds. Only the built-in client calls it, not a custom ``Backend``.
    public var abortPath: String?

    /// Which hosts get the headers of ``addOperatorHeader(_:_:)``.
    public var operatorHeadersTo = OperatorHeaders.firstHost

    /// How the code gets to the backend.
    public var codeDelivery = CodeDelivery.relay

    /// The redirect URI (RFC 6749, section 3.1.2), needed where neither the auth URL nor the start answer tells it.
    public var redirectURI: String?

    /// After how many milliseconds, 1 to 86,400,000, a verification that goes on is reported as ``NumberVerifier/Progress/slow(atMs:)``.
    public var slowAfterMs = 4_000

    /// How many redirects are followed, 1 to 15.
    public var redirectLimit = 15

    /// Whether plain http is followed on the operator's side, where operators insert the subscriber's identity. App Transport Security does
    /// not govern these connections: this setting is the only control.
    public var cleartext = Cleartext.onRedirects

    /// Whether connections open before they are needed: to hosts that followed each other in earlier verifications of this verifier, and to
    /// the backend in ``NumberVerifier/prepare()``. Defaults to `true`. Which hosts those are is kept in memory only, for an hour at most;
    /// ``NumberVerifier/forgetHosts()`` clears it. Without it, every new host costs a DNS lookup, a connection and a TLS handshake while
    /// the user waits.
    public var openAhead = true

    /// The origin of the auth URL, such as `https://auth.example.com`, if the backend's provider always has the same. Defaults to `nil`. A
    /// connection to it then opens ahead, over the cellular network, even if no verification of this verifier has used it: three round trips
    /// less for the first one.
    public var authOrigin: String?

    /// The `User-Agent` of all requests; `nil` for the name and version of this library.
    public var userAgent: String?

    /// How requests to some of the operator's hosts differ, at most 16. The start response may bring more of them, which need no release of
    /// the app.
    public var hints: [Hint] = []

    /// How long things may take.
    public var deadlines = Deadlines()

    /// The JSON names that the backend uses.
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

    /// Adds a header to the calls of the built-in client to the backend, such as the app's own `Authorization`. It never goes to an
    /// operator, and its value is never printed.
    public mutating func addHeader(_ name: String, _ value: String) {
      headers.append(Header(name: name, value: Secret(value)))
    }

    /// Adds a header for the operator's side. It may replace `Accept` and `User-Agent`. Its value is never printed.
    public mutating func addOperatorHeader(_ name: String, _ value: String) {
      operatorHeaders.append(Header(name: name, value: Secret(value)))
    }
  }
}

extension NumberVerifier.Configuration {
  /// Timeouts in milliseconds, each 1 to 86,400,000 (a day). ``overallMs`` takes precedence.
  ///
  /// The defaults are for a person at a sign-in screen: after ``NumberVerifier/Configuration/slowAfterMs`` the app can offer another
  /// channel while the verification goes on. So a timeout need not be short to keep the person from waiting; it ends what will not come any
  /// more.
  public struct Deadlines: Sendable, Hashable {
    /// The whole verification. Defaults to 20,000: beyond this, another channel is faster.
    public var overallMs = 20_000

    /// Acquiring the cellular network. Defaults to 8,000: a sleeping radio takes 1 to 3 seconds, one that has to register anew more.
    public var acquireMs = 8_000

    /// DNS, TCP connect and TLS handshake of one host. Defaults to 5,000: three round trips, and time to send a lost packet again.
    public var connectMs = 5_000

    /// From a request to its response headers, and from there to the end of a body that is read. Defaults to 8,000: operators look up
    /// the SIM meanwhile.
    public var answerMs = 8_000

    /// Each call to the backend. Defaults to 8,000: it calls the provider meanwhile.
    public var backendMs = 8_000
  }

  /// The JSON names in the requests to the backend and in its answers.
  public struct FieldNames: Sendable, Hashable {
    /// In the start request, and in the response of `complete` and of the callback with the result of a retrieval; `devicePhoneNumber` is
    /// understood there too. Not `purpose` or `devicePhoneNumberVerified`.
    public var phoneNumber = "phoneNumber"

    /// In the start answer.
    public var authURL = "authUrl"

    /// In the start answer, optional there.
    public var redirectURI = "redirectUri"

    /// In the start answer, optional there, and in the complete request.
    public var session = "session"

    /// In the start answer, optional there, and in the complete request.
    public var state = "state"

    /// In the complete request.
    public var code = "code"

    /// In the response of `complete` and of the callback with the result of a verification; `devicePhoneNumberVerified` is understood too.
    /// Not `devicePhoneNumber`.
    public var verified = "verified"
  }

  /// Exceptions for development. Leave them out in a release.
  public struct Development: Sendable, Hashable {
    /// Uses whatever network the system chooses, such as the simulator's or a test server's. On a friend's hotspot that would verify the
    /// friend: it is refused, with ``VerifyError/Kind-swift.enum/invalidConfig(setting:)``, but in a debug build or in Apple's simulator. With
    /// a ``CellularProvider`` of your own, it allows ``NetworkBinding/unbound``.
    public var anyNetwork = false

    /// Allows a backend on plain http anywhere; loopback is allowed without it.
    public var allowHTTPBackend = false

    /// Further root certificates in PEM form, for the backend and the operators, beside those of the system.
    public var rootCertificates: [String] = []

    /// Fixed addresses for a host and port, `HOST:PORT:ADDRESS[,ADDRESS]`, IPv6 in brackets. Such a host is exempt from the rules about
    /// addresses.
    public var resolve: [String] = []

    /// Name servers for the cellular network, `ADDRESS` or `ADDRESS:PORT`; only on Linux.
    public var dnsServers: [String] = []
  }
}

extension NumberVerifier.Configuration {
  /// What is out of range stays out of range: the core refuses it.
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

/// Which hosts on the operator's side get the extra headers.
public enum OperatorHeaders: Sendable, Hashable {
  /// The host of the auth URL only.
  case firstHost
  /// All hosts.
  case allHosts
}

/// How the code gets from the operator to the backend.
public enum CodeDelivery: Sendable, Hashable {
  /// The phone reads the code, from the redirect to the redirect URI (which is not fetched) or from a JSON answer, and posts it with
  /// `complete`. Recommended.
  case relay
  /// The redirect URI is the backend's own: the phone fetches it, and the backend's answer is the verdict. Safe only with a backend that
  /// refuses a callback without the proof of the session (its cookie or `X-Number-Verify-Session`).
  case followThrough
  /// There is no code: the last 2xx answer ends the walk and `complete` asks for the verdict. Weaker, since the verdict cannot be bound to
  /// this phone.
  case noCode
}

/// Whether plain http is followed on the operator's side, where operators insert the subscriber's identity (header enrichment).
public enum Cleartext: Sendable, Hashable {
  /// Followed on redirects, never for the auth URL, never with this verification's code.
  case onRedirects
  /// Refused. Some operators cannot verify then.
  case never
}
