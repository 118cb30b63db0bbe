package dev.numberverify.sample.check

import org.json.JSONArray
import org.json.JSONObject

/** What the check needs of a verification: read from its trace, which has the same names on all platforms. */
data class Run(
    /** `verified`, `not_verified`, or the error as `kind` or `kind/cause`. */
    val outcome: String,
    val network: String? = null,
    val correlator: String = "",
    val totalMs: Long = 0,
    val acquireMs: Long? = null,
    val hops: List<RunHop> = emptyList(),
    /** The hosts to which it began to open a connection ahead: without those opened before it began. */
    val openedAhead: List<String> = emptyList(),
    /** The trace, which is safe to share. */
    val trace: JSONObject? = null,
) {
    val isBound: Boolean get() = network == "android_network"

    val families: List<String> get() = hops.mapNotNull { it.family }.distinct().sorted()

    val facts: Map<String, String>
        get() =
            facts("outcome" to outcome, "network" to network, "total_ms" to totalMs, "acquire_ms" to acquireMs) +
                facts("families" to families.joinToString(), "opened_ahead" to openedAhead.size)

    companion object {
        fun of(trace: JSONObject): Run =
            Run(
                outcome = trace.optJSONObject("error")?.let(::error) ?: trace.text("outcome") ?: "no outcome",
                network = trace.text("network"),
                correlator = trace.text("correlator").orEmpty(),
                totalMs = trace.getLong("total_ms"),
                acquireMs = trace.number("acquire_ms"),
                hops =
                    trace.getJSONArray("hops").objects().map {
                        RunHop(it.getString("host"), it.text("family"), it.number("dns_ms"), it.getBoolean("opened_ahead"))
                    },
                openedAhead = trace.getJSONArray("opened_ahead").let { hosts -> List(hosts.length(), hosts::getString) },
                trace = trace,
            )

        private fun error(error: JSONObject) = listOfNotNull(error.text("kind"), error.text("cause")).joinToString("/")

        private fun JSONObject.text(name: String) = if (isNull(name)) null else getString(name)

        private fun JSONObject.number(name: String) = if (isNull(name)) null else getLong(name)

        private fun JSONArray.objects() = List(length(), ::getJSONObject)
    }
}

/** One request of a [Run]. */
data class RunHop(
    val host: String,
    val family: String?,
    val dnsMs: Long?,
    /** Whether its connection was opened before the request. */
    val isOpenedAhead: Boolean,
)

/** The source addresses of the requests that servers received. Never part of a report. */
data class Addresses(
    val before: String? = null,
    val during: String? = null,
    val after: String? = null,
    /** Of the library's requests; `null` if the server does not report them. */
    val library: LibraryAddresses? = null,
) {
    val default: List<String?> get() = listOf(before, during, after)
}

/** The source addresses of a verification's requests. */
data class LibraryAddresses(
    val backend: Set<String> = emptySet(),
    /** Of requests to the operator's side. */
    val operator: Set<String> = emptySet(),
)

/** The phone's networks, as the platform reports them. A value is `null` if the platform does not report it. */
data class PhoneNetworks(
    /** `wifi`, `cellular`, `other` or `none`. */
    val default: String,
    val hasVpn: Boolean,
    /** What `check()` returns: `ready`, `wifi_active`, or a cause. */
    val status: String,
    val interfaceName: String? = null,
    val hasIpv4: Boolean? = null,
    val hasIpv6: Boolean? = null,
    /** Whether IPv4 works over IPv6, without an IPv4 address of the network. */
    val has464Xlat: Boolean? = null,
    /** Identifies the SIM for mobile data; only compared, never part of a report. */
    val dataSim: String? = null,
) {
    val facts: Map<String, String>
        get() =
            facts("default_network" to default, "vpn" to hasVpn, "check" to status, "interface" to interfaceName) +
                facts("ipv4" to hasIpv4, "ipv6" to hasIpv6, "464xlat" to has464Xlat)
}

fun facts(vararg facts: Pair<String, Any?>): Map<String, String> =
    facts.filter { it.second != null && it.second != "" }.associate { it.first to it.second.toString() }

/**
 * The part of an address that is the same for all connections from one network: all of an IPv4
 * address, the first 64 bits of an IPv6 address (the rest changes, RFC 8981). `null` if it is not an
 * address. Without `InetAddress`, which looks up what it cannot parse.
 */
fun networkOf(address: String): String? {
    val bytes = ipv4(address) ?: ipv6(address) ?: return null
    return when {
        bytes.size == IPV4_LENGTH -> "ipv4 " + bytes.joinToString(".")
        bytes.take(IPV4_MAPPED.size) == IPV4_MAPPED -> "ipv4 " + bytes.drop(IPV4_MAPPED.size).joinToString(".")
        else -> "ipv6 " + bytes.take(bytes.size / 2).joinToString(".")
    }
}

private fun ipv4(text: String): List<Int>? =
    text
        .split('.')
        .takeIf { parts -> parts.size == IPV4_LENGTH && parts.all { it.matches(Regex("0|[1-9][0-9]{0,2}")) && it.toInt() <= 255 } }
        ?.map(String::toInt)

private fun ipv6(text: String): List<Int>? {
    val halves = text.split("::").map { groups(it) ?: return null }
    val omitted = IPV6_LENGTH - halves.sumOf { it.size }
    return when {
        halves.size == 1 && omitted == 0 -> halves[0]
        halves.size == 2 && omitted > 0 -> halves[0] + List(omitted) { 0 } + halves[1]
        else -> null
    }
}

/** The bytes of groups of an IPv6 address, of which the last may be an IPv4 address. */
private fun groups(text: String): List<Int>? {
    if (text.isEmpty()) return emptyList()
    val groups = text.split(':')
    return groups.flatMapIndexed { index, group ->
        when {
            group.matches(Regex("[0-9a-fA-F]{1,4}")) -> group.toInt(radix = 16).let { listOf(it / 256, it % 256) }
            index == groups.lastIndex -> ipv4(group) ?: return null
            else -> return null
        }
    }
}

private const val IPV4_LENGTH = 4
private const val IPV6_LENGTH = 16

/** The beginning of `::ffff:0:0/96`. */
private val IPV4_MAPPED = List(10) { 0 } + listOf(255, 255)

fun familyOf(network: String): String = network.substringBefore(' ')
