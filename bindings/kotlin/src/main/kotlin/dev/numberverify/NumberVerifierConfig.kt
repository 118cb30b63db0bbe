package dev.numberverify

/**
 * The settings of a [NumberVerifier]. All have defaults that suit an app in production.
 *
 * ```kotlin
 * NumberVerifier(context, "https://api.example.com/number-verify") {
 *     header("Authorization", "Bearer …")
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

    /** The path of the `start` call under the base URL. `start` without a change. */
    public var startPath: String = defaults.startPath

    /** The path of the `complete` call under the base URL. `complete` without a change. */
    public var completePath: String = defaults.completePath

    /**
     * The path of the `abort` call under the base URL. Defaults to `null`: it is not called. It informs the backend, in the background and at
     * most once, that a verification ended after `start` without a result, so that the backend can end the session and release what its
     * provider holds. Only the built-in client calls it, not a custom [Backend].
     */
    public var abortPath: String? = defaults.abortPath

    /** Which hosts get the headers of [operatorHeader]. Only the auth URL's host without a change. */
    public var operatorHeadersTo: OperatorHeaders = defaults.operatorHeadersTo

    /** How the code gets to the backend. [CodeDelivery.RELAY] without a change, and recommended. */
    public var codeDelivery: CodeDelivery = defaults.codeDelivery

    /** The redirect URI (RFC 6749, section 3.1.2), needed where neither the auth URL nor the start answer tells it. */
    public var redirectUri: String? = defaults.redirectUri

    /** After how many milliseconds, 1 to 86,400,000, a verification that goes on is reported as [Progress.Slow]. 4,000 without a change. */
    public var slowAfterMs: Long = defaults.slowAfterMs.toLong()

    /** How many redirects are followed, 1 to 15. 15 without a change. */
    public var redirectLimit: Int = defaults.redirectLimit.toInt()

    /**
     * Whether plain http is followed on the operator's side, where operators insert the subscriber's identity. Android's Network
     * Security Config does not govern these connections: this setting is the only control.
     */
    public var cleartext: Cleartext = defaults.cleartext

    /**
     * Whether connections open before they are needed: to hosts that followed each other in earlier verifications of this verifier, and to
     * the backend in [prepare][NumberVerifier.prepare]. Defaults to `true`. Which hosts those are is kept in memory only, for an hour at
     * most; [forgetHosts][NumberVerifier.forgetHosts] clears it. Without it, every new host costs a DNS lookup, a connection and a TLS
     * handshake while the user waits.
     */
    public var openAhead: Boolean = defaults.openAhead

    /**
     * The origin of the auth URL, such as `https://auth.example.com`, if the backend's provider always has the same. Defaults to `null`. A
     * connection to it then opens ahead, over the cellular network, even if no verification of this verifier has used it: three round trips
     * less for the first one.
     */
    public var authOrigin: String? = defaults.authOrigin

    /** The `User-Agent` of all requests; `null` for the name and version of this library. */
    public var userAgent: String? = defaults.userAgent

    /**
     * The subscription whose SIM is verified on a phone with two, by its id in `SubscriptionManager`; `null` for the SIM that is set for
     * mobile data. Only for the constructors with a context.
     *
     * Android lets data only over the SIM that is set for it, so this states which SIM has to be that one: with another one,
     * [CellularCause.NOT_DATA_SIM] comes before anything is sent. Android 11 (API 30) and later; earlier systems ignore it.
     */
    public var subscriptionId: Int? = null

    /**
     * How requests to some of the operator's hosts differ, at most 16. The start response may bring more of them, which need no release of
     * the app. [hintsFromJson] reads them from a file or a remote configuration.
     */
    public var hints: List<Hint> = defaults.hints

    /** How long things may take. */
    public val deadlines: Deadlines = Deadlines(defaults.deadlines)

    /** The JSON names that the backend uses. */
    public val fieldNames: FieldNames = FieldNames(defaults.fieldNames)

    /** Exceptions for development. */
    public val development: Development = Development(defaults.development)

    /**
     * Adds a header to the calls of the built-in client to the backend, such as the app's own `Authorization`. It never goes to an
     * operator, and its value is never printed.
     */
    public fun header(
        name: String,
        value: String,
    ) {
        headers += name to value
    }

    /** Adds a header for the operator's side. It may replace `Accept` and `User-Agent`. Its value is never printed. */
    public fun operatorHeader(
        name: String,
        value: String,
    ) {
        operatorHeaders += name to value
    }

    /**
     * Timeouts in milliseconds, each 1 to 86,400,000 (a day). [overallMs] takes precedence.
     *
     * The defaults are for a person at a sign-in screen: after [slowAfterMs] the app can offer another channel while the verification goes
     * on. So a timeout need not be short to keep the person from waiting; it ends what will not come any more.
     */
    public class Deadlines internal constructor(
        defaults: CoreDeadlines,
    ) {
        /** The whole verification. Defaults to 20,000: beyond this, another channel is faster. */
        public var overallMs: Long = defaults.overallMs.toLong()

        /** Acquiring the cellular network. Defaults to 8,000: a sleeping radio takes 1 to 3 seconds, one that has to register anew more. */
        public var acquireMs: Long = defaults.acquireMs.toLong()

        /** DNS, TCP connect and TLS handshake of one host. Defaults to 5,000: three round trips, and time to send a lost packet again. */
        public var connectMs: Long = defaults.connectMs.toLong()

        /**
         * From a request to its response headers, and from there to the end of a body that is read. Defaults to 8,000: operators look up
         * the SIM meanwhile.
         */
        public var answerMs: Long = defaults.answerMs.toLong()

        /** Each call to the backend. Defaults to 8,000: it calls the provider meanwhile. */
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

    /** The JSON names in the requests to the backend and in its answers. */
    public class FieldNames internal constructor(
        defaults: CoreFieldNames,
    ) {
        /** In the start request. `phoneNumber` without a change. */
        public var phoneNumber: String = defaults.phoneNumber

        /** In the start answer. `authUrl` without a change. */
        public var authUrl: String = defaults.authUrl

        /** In the start answer, optional there. `redirectUri` without a change. */
        public var redirectUri: String = defaults.redirectUri

        /** In the start answer, optional there, and in the complete request. `session` without a change. */
        public var session: String = defaults.session

        /** In the start answer, optional there, and in the complete request. `state` without a change. */
        public var state: String = defaults.state

        /** In the complete request. `code` without a change. */
        public var code: String = defaults.code

        /** In the complete answer; `devicePhoneNumberVerified` is understood too. `verified` without a change. */
        public var verified: String = defaults.verified

        internal fun toCore() = CoreFieldNames(phoneNumber, authUrl, redirectUri, session, state, code, verified)
    }

    /** Exceptions for development. Leave them out in a release. */
    public class Development internal constructor(
        defaults: CoreDevelopment,
    ) {
        /**
         * Uses whatever network the system chooses, such as an emulator's or a test server's. On a friend's hotspot that would verify the
         * friend: the constructors with a context refuse it in an app that is not debuggable, with [VerifyException.InvalidConfig]. With a
         * [CellularProvider] of your own, it allows [NetworkBinding.Unbound].
         */
        public var anyNetwork: Boolean = defaults.allowUnbound

        /** Allows a backend on plain http anywhere; loopback is allowed without it. */
        public var allowHttpBackend: Boolean = defaults.allowHttpBackend

        /** Further root certificates in PEM form, for the backend and the operators, beside those of the system. */
        public var rootCertificates: List<String> = defaults.rootCertificates

        /**
         * Fixed addresses for a host and port, `HOST:PORT:ADDRESS[,ADDRESS]`, IPv6 in brackets. Such a host is exempt from the rules
         * about addresses.
         */
        public var resolve: List<String> = defaults.resolve

        /** Name servers for the cellular network, `ADDRESS` or `ADDRESS:PORT`; only on Linux. */
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

    /** Its headers are to be destroyed after use. */
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
            // What is out of range stays out of range: the core refuses it.
            redirectLimit = redirectLimit.coerceIn(0, 255).toUByte(),
            cleartext = cleartext,
            openAhead = openAhead,
            authOrigin = authOrigin,
            userAgent = userAgent,
            development = development.toCore(),
        )
}
