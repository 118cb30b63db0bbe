package dev.numberverify

/**
 * The settings of a [NumberVerifier]. All defaults suit an app in production.
 *
 * ```kotlin
 * NumberVerifier(context, "https://api.example.com/number-verify") {
 *     header("Authorization", "Bearer $accessToken")
 *     deadlines.overallMs = 15_000
 * }
 * ```
 */
public class NumberVerifierConfig internal constructor(
    private val backendUrl: String,
) {
    private val defaults =
        CoreConfig(
            backendUrl = backendUrl,
            operatorHeadersTo = OperatorHeaders.FIRST_HOST,
            codeDelivery = CodeDelivery.RELAY,
            cleartext = Cleartext.ON_REDIRECTS,
        )
    private val headers = mutableListOf<Pair<String, String>>()
    private val operatorHeaders = mutableListOf<Pair<String, String>>()

    /** The path of the `start` call under the base URL. Defaults to `start`. */
    public var startPath: String = defaults.startPath

    /** The path of the `complete` call under the base URL. Defaults to `complete`. */
    public var completePath: String = defaults.completePath

    /**
     * The path of the `abort` call under the base URL. Defaults to `null`: it is not called. The
     * call informs the backend, in the background and at most once, that a verification ended after
     * `start` without a result, so that the backend can end the session and release what its
     * provider holds. Made only by the built-in client, not by a custom [Backend].
     */
    public var abortPath: String? = defaults.abortPath

    /**
     * Which hosts receive the headers of [operatorHeader]. Defaults to
     * [OperatorHeaders.FIRST_HOST], the host of the auth URL.
     */
    public var operatorHeadersTo: OperatorHeaders = defaults.operatorHeadersTo

    /**
     * How the authorization code is delivered to the backend. Defaults to [CodeDelivery.RELAY],
     * which is recommended.
     */
    public var codeDelivery: CodeDelivery = defaults.codeDelivery

    /**
     * The redirect URI (RFC 6749, section 3.1.2), required if it is in neither the auth URL nor the
     * start response. Defaults to `null`.
     */
    public var redirectUri: String? = defaults.redirectUri

    /**
     * After how many milliseconds, 1 to 86,400,000, a verification in progress is reported as
     * [Progress.Slow]. Defaults to 4,000.
     */
    public var slowAfterMs: Long = defaults.slowAfterMs.toLong()

    /** How many redirects are followed, 1 to 15. Defaults to 15. */
    public var redirectLimit: Int = defaults.redirectLimit.toInt()

    /**
     * Whether plain http is followed on the operator's side, where operators insert the
     * subscriber's identity. Defaults to [Cleartext.ON_REDIRECTS]. Android's Network Security
     * Config does not apply to these connections: this setting is the only control.
     */
    public var cleartext: Cleartext = defaults.cleartext

    /**
     * Whether connections open before they are needed: to the hosts of this verifier's earlier
     * verifications, and to the backend in [prepare][NumberVerifier.prepare]. Defaults to `true`.
     * These hosts are stored in memory only, for at most an hour;
     * [forgetHosts][NumberVerifier.forgetHosts] clears them. If `false`, every new host costs a DNS
     * lookup, a connection and a TLS handshake while the user waits.
     */
    public var openAhead: Boolean = defaults.openAhead

    /**
     * The origin of the auth URL, such as `https://auth.example.com`, if the backend's provider
     * always uses the same one. Defaults to `null`. A connection to this origin then opens ahead,
     * over the cellular network, even if no earlier verification of this verifier has used it,
     * which saves the first one three round trips.
     */
    public var authOrigin: String? = defaults.authOrigin

    /**
     * The `User-Agent` of all requests. Defaults to `null`: the name and version of this library.
     */
    public var userAgent: String? = defaults.userAgent

    /**
     * The subscription ID (`SubscriptionManager`) of the SIM to verify on a phone with two SIMs.
     * Defaults to `null`: the SIM for mobile data. Only for the constructors with a context.
     *
     * Android sends data only over the SIM that is set for mobile data, so this setting does not
     * switch SIMs, but states which one is expected: if another SIM is set for mobile data, the
     * verification fails with [CellularCause.NOT_DATA_SIM] before anything is sent to the operator;
     * `start` may already have been called. Android 11 (API 30) and later; ignored on earlier
     * versions.
     */
    public var subscriptionId: Int? = null

    /**
     * How requests to specific operator hosts differ, at most 16 hints. Defaults to none. The start
     * response may contain further hints, which need no app release. [hintsFromJson] parses them
     * from a file or a remote configuration.
     */
    public var hints: List<Hint> = defaults.hints

    /** Timeouts. */
    public val deadlines: Deadlines = Deadlines(defaults.deadlines)

    /** The JSON field names of the backend. */
    public val fieldNames: FieldNames = FieldNames(defaults.fieldNames)

    /** Settings for development. */
    public val development: Development = Development(defaults.development)

    /**
     * Adds a header to the built-in client's calls to the backend, such as the app's own
     * `Authorization`. It is never sent to an operator, and its value is never logged or printed.
     */
    public fun header(
        name: String,
        value: String,
    ) {
        headers += name to value
    }

    /**
     * Adds a header to the requests to the operator's side. It may replace `Accept` and
     * `User-Agent`. Its value is never logged or printed.
     */
    public fun operatorHeader(
        name: String,
        value: String,
    ) {
        operatorHeaders += name to value
    }

    /**
     * Timeouts in milliseconds, each 1 to 86,400,000 (a day). [overallMs] takes precedence.
     *
     * The defaults suit a user at a sign-in screen: after [slowAfterMs] the app can offer another
     * channel while the verification continues. A timeout therefore need not be short to limit the
     * user's wait; it ends an operation that will not complete.
     */
    public class Deadlines internal constructor(
        defaults: CoreDeadlines,
    ) {
        /** The whole verification. Defaults to 20,000: beyond that, another channel is faster. */
        public var overallMs: Long = defaults.overallMs.toLong()

        /**
         * Acquiring the cellular network. Defaults to 8,000: an idle radio takes 1 to 3 seconds, a
         * radio that has to register again takes longer.
         */
        public var acquireMs: Long = defaults.acquireMs.toLong()

        /**
         * DNS, TCP connect and TLS handshake, per host. Defaults to 5,000: three round trips, plus
         * time to retransmit a lost packet.
         */
        public var connectMs: Long = defaults.connectMs.toLong()

        /**
         * From a request to its response headers; then again until the end of a body that is read.
         * Defaults to 8,000: operators look up the SIM during this time.
         */
        public var answerMs: Long = defaults.answerMs.toLong()

        /**
         * Each call to the backend. Defaults to 8,000: the backend calls the provider during this
         * time.
         */
        public var backendMs: Long = defaults.backendMs.toLong()

        internal fun toCore() =
            CoreDeadlines(
                overallMs = overallMs.toULong(),
                acquireMs = acquireMs.toULong(),
                connectMs = connectMs.toULong(),
                answerMs = answerMs.toULong(),
                backendMs = backendMs.toULong(),
            )
    }

    /** The JSON field names in the requests to the backend and in its responses. */
    public class FieldNames internal constructor(
        defaults: CoreFieldNames,
    ) {
        /** In the start request. Defaults to `phoneNumber`. */
        public var phoneNumber: String = defaults.phoneNumber

        /** In the start response. Defaults to `authUrl`. */
        public var authUrl: String = defaults.authUrl

        /** In the start response, optional. Defaults to `redirectUri`. */
        public var redirectUri: String = defaults.redirectUri

        /** In the start response (optional) and in the complete request. Defaults to `session`. */
        public var session: String = defaults.session

        /** In the start response (optional) and in the complete request. Defaults to `state`. */
        public var state: String = defaults.state

        /** In the complete request. Defaults to `code`. */
        public var code: String = defaults.code

        /**
         * In the complete response. Defaults to `verified`; `devicePhoneNumberVerified` is always
         * accepted too.
         */
        public var verified: String = defaults.verified

        internal fun toCore() = CoreFieldNames(phoneNumber, authUrl, redirectUri, session, state, code, verified)
    }

    /** Settings for development. Do not set them in a release. */
    public class Development internal constructor(
        defaults: CoreDevelopment,
    ) {
        /**
         * Uses the system's default network, such as that of an emulator or a test server. Defaults
         * to `false`. On someone else's hotspot, this would verify *their* number: in an app that
         * is not debuggable, the constructors with a context throw [VerifyException.InvalidConfig].
         * With a custom [CellularProvider], it allows [NetworkBinding.Unbound].
         */
        public var anyNetwork: Boolean = defaults.allowUnbound

        /**
         * Allows a backend on plain http on any host. Defaults to `false`; loopback is always
         * allowed.
         */
        public var allowHttpBackend: Boolean = defaults.allowHttpBackend

        /**
         * Additional root certificates in PEM form, trusted for the backend and the operators in
         * addition to those of the system.
         */
        public var rootCertificates: List<String> = defaults.rootCertificates

        /**
         * Fixed addresses for a host and port, `HOST:PORT:ADDRESS[,ADDRESS]`, IPv6 in brackets.
         * Such a host and port bypasses the address policy.
         */
        public var resolve: List<String> = defaults.resolve

        /** DNS servers for the cellular network, `ADDRESS` or `ADDRESS:PORT`; Linux only. */
        public var dnsServers: List<String> = defaults.dnsServers

        internal fun toCore() =
            CoreDevelopment(
                allowUnbound = anyNetwork,
                allowHttpBackend = allowHttpBackend,
                rootCertificates = rootCertificates,
                resolve = resolve,
                dnsServers = dnsServers,
            )
    }

    /** The caller must destroy its headers after use. */
    internal fun toCore() =
        CoreConfig(
            backendUrl = backendUrl,
            startPath = startPath,
            completePath = completePath,
            abortPath = abortPath,
            headers = headers.map { (name, value) -> CoreHeader(name, value) },
            operatorHeaders = operatorHeaders.map { (name, value) -> CoreHeader(name, value) },
            operatorHeadersTo = operatorHeadersTo,
            hints = hints,
            fieldNames = fieldNames.toCore(),
            codeDelivery = codeDelivery,
            redirectUri = redirectUri,
            deadlines = deadlines.toCore(),
            slowAfterMs = slowAfterMs.toULong(),
            // A value that is out of range stays out of range: the core rejects it.
            redirectLimit = redirectLimit.coerceIn(0, 255).toUByte(),
            cleartext = cleartext,
            openAhead = openAhead,
            authOrigin = authOrigin,
            userAgent = userAgent,
            development = development.toCore(),
        )
}
