package dev.numberverify

/**
 * What a verification or retrieval did and how long it took, including one that failed. Safe to
 * send to support: contains no query string, code, phone number or cookie value. All times are
 * whole milliseconds; the time of a phase that did not occur is `null`.
 */
public class Trace private constructor(
    private val core: CoreTrace,
    private val json: () -> String,
    private val table: () -> String,
    private val explanation: () -> String,
) {
    /**
     * Creates a trace for an app's own tests. Does not load the native library, which writes the
     * JSON, the table and the explanation of a real trace.
     *
     * @param json returned by [toJson].
     * @param table returned by [toTable] and [toString].
     * @param explanation returned by [explain].
     */
    public constructor(
        correlator: String = "",
        network: NetworkKind? = null,
        hops: List<Hop> = emptyList(),
        startMs: Long? = null,
        acquireMs: Long? = null,
        authorizeMs: Long? = null,
        completeMs: Long? = null,
        totalMs: Long = 0,
        json: String = "{}",
        table: String = "",
        openedAhead: List<String> = emptyList(),
        explanation: String = "",
    ) : this(
        CoreTrace(
            correlator = correlator,
            network = network,
            hops = hops.map(Hop::core),
            openedAhead = openedAhead,
            startMs = startMs?.toULong(),
            acquireMs = acquireMs?.toULong(),
            authorizeMs = authorizeMs?.toULong(),
            completeMs = completeMs?.toULong(),
            totalMs = totalMs.toULong(),
            outcome = null,
            error = null,
        ),
        { json },
        { table },
        { explanation },
    )

    internal constructor(core: CoreTrace) : this(core, core::toJson, core::toTable, core::explain)

    /**
     * The value of the `x-correlator` header of all requests of this verification to the backend.
     */
    public val correlator: String get() = core.correlator

    /**
     * How connections were bound to the cellular network; `null` if the network was not acquired.
     */
    public val network: NetworkKind? get() = core.network

    /** The requests over the cellular network, in order. */
    public val hops: List<Hop> = core.hops.map(::Hop)

    /**
     * The hosts to which this verification opened a connection ahead of a request, in order,
     * whether or not the connection was used. Connections opened by
     * [prepare][NumberVerifying.prepare] are not included.
     */
    public val openedAhead: List<String> get() = core.openedAhead

    /** The `start` call to the backend. */
    public val startMs: Long? get() = core.startMs?.toLong()

    /** Acquiring the cellular network, concurrently with the `start` call. */
    public val acquireMs: Long? get() = core.acquireMs?.toLong()

    /** All requests over the cellular network. */
    public val authorizeMs: Long? get() = core.authorizeMs?.toLong()

    /** The `complete` call to the backend. */
    public val completeMs: Long? get() = core.completeMs?.toLong()

    /** The whole verification. */
    public val totalMs: Long get() = core.totalMs.toLong()

    /**
     * Returns the trace as a JSON object, including how the verification ended
     * (`docs/trace.schema.json` in the repository).
     */
    public fun toJson(): String = json()

    /** Returns the trace as a plain-text table, for a fixed-width font. */
    public fun toTable(): String = table()

    /**
     * Returns the trace in words, in English, for developers and support: what happened, which
     * request failed, what to do, and whom to contact with which identifiers.
     */
    public fun explain(): String = explanation()

    /** Same as [toTable]. */
    override fun toString(): String = toTable()
}

/**
 * One request over the cellular network. Times are in milliseconds; the time of a phase that did
 * not occur is `null`.
 */
public class Hop internal constructor(
    internal val core: CoreHop,
) {
    /** Creates a request for an app's own tests. Does not load the native library. */
    public constructor(
        host: String,
        status: Int? = null,
        index: Int = 1,
        scheme: String = "https",
        dnsMs: Long? = null,
        connectMs: Long? = null,
        tlsMs: Long? = null,
        firstByteMs: Long? = null,
        isReused: Boolean = false,
        isTlsResumed: Boolean = false,
        family: AddressFamily? = null,
        tlsVersion: TlsVersion? = null,
        traceIds: Map<String, String> = emptyMap(),
        bytesIn: Long = 0,
        bytesOut: Long = 0,
        pageTitle: String? = null,
        isOpenedAhead: Boolean = false,
    ) : this(
        CoreHop(
            index = index.toUInt(),
            scheme = scheme,
            host = host,
            status = status?.toUShort(),
            dnsMs = dnsMs?.toULong(),
            connectMs = connectMs?.toULong(),
            tlsMs = tlsMs?.toULong(),
            firstByteMs = firstByteMs?.toULong(),
            reused = isReused,
            openedAhead = isOpenedAhead,
            tlsResumed = isTlsResumed,
            bytesIn = bytesIn.toULong(),
            bytesOut = bytesOut.toULong(),
            family = family,
            tlsVersion = tlsVersion,
            traceIds = traceIds,
            pageTitle = pageTitle,
        ),
    )

    /** The position among the requests, from 1. */
    public val index: Int get() = core.index.toInt()

    /** `http` or `https`. */
    public val scheme: String get() = core.scheme

    /** The host, without path and query. */
    public val host: String get() = core.host

    /** The HTTP status; `null` if there was no response. */
    public val status: Int? get() = core.status?.toInt()

    /** DNS lookup; `null` on a reused connection, or if the host is an IP address. */
    public val dnsMs: Long? get() = core.dnsMs?.toLong()

    /** TCP connect, or waiting for a connection that is being opened ahead. */
    public val connectMs: Long? get() = core.connectMs?.toLong()

    /** The TLS handshake. */
    public val tlsMs: Long? get() = core.tlsMs?.toLong()

    /** From sending the request to the end of the response headers. */
    public val firstByteMs: Long? get() = core.firstByteMs?.toLong()

    /** Whether an open connection was reused. */
    public val isReused: Boolean get() = core.reused

    /**
     * Whether the connection was opened ahead of this request, by
     * [prepare][NumberVerifying.prepare] or by a verification; [dnsMs] and [tlsMs] are `null` then.
     */
    public val isOpenedAhead: Boolean get() = core.openedAhead

    /** Whether TLS resumed an earlier session. */
    public val isTlsResumed: Boolean get() = core.tlsResumed

    /** The address family of the connection; `null` if there was no connection. */
    public val family: AddressFamily? get() = core.family

    /** The TLS version; `null` on plain http. */
    public val tlsVersion: TlsVersion? get() = core.tlsVersion

    /**
     * The identifiers that the server assigned to this request in its own logs, by response header,
     * for the operator's support: `x-correlator`, `x-request-id`, `x-correlation-id`, `traceparent`
     * (W3C Trace Context), `x-orange-trace-id`, `x-vig-trace-id`, `x-amz-cf-id`, `cf-ray`. A value
     * has at most 128 characters of `A-Z a-z 0-9 . _ : / = + -`; a value that contains a secret of
     * the verification is omitted.
     */
    public val traceIds: Map<String, String> get() = core.traceIds

    /** Bytes received on the socket, including TLS. */
    public val bytesIn: Long get() = core.bytesIn.toLong()

    /** Bytes sent on the socket, including TLS. */
    public val bytesOut: Long get() = core.bytesOut.toLong()

    /**
     * The title of an unexpected page, at most 80 characters. `null` if it contains the phone
     * number or another secret of the verification.
     */
    public val pageTitle: String? get() = core.pageTitle

    override fun toString(): String = "Hop($index, $scheme://$host, status $status)"

    override fun equals(other: Any?): Boolean = other is Hop && other.core == core

    override fun hashCode(): Int = core.hashCode()
}
