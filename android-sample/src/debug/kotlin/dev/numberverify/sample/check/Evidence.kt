package dev.numberverify.sample.check

import org.json.JSONArray
import org.json.JSONObject
import java.net.Inet4Address
import java.net.InetAddress
import java.net.UnknownHostException

/** What the check needs of a verification: read from its trace, which has the same names on all platforms. */
data class Run(
    /** `verified`, `not_verified`, or the error as `kind` or `kind/cause`. */
    val outcome: String,
    val network: String? = null,
    val correlator: String = "",
    val totalMs: Long = 0,
    val acquireMs: Long? = null,
    val hops: List<RunHop> = emptyList(),
    /** The number of hosts to which it opened a connection ahead. */
    val openedAhead: Int = 0,
    /** The trace, which is safe to share. */
    val trace: JSONObject? = null,
) {
    val isBound: Boolean get() = network == "android_network"

    val families: List<String> get() = hops.mapNotNull { it.family }.distinct().sorted()

    val facts: Map<String, String>
        get() =
            facts("outcome" to outcome, "network" to network, "total_ms" to totalMs, "acquire_ms" to acquireMs) +
                facts("families" to families.joinToString(), "opened_ahead" to openedAhead)

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
                        RunHop(it.text("family"), it.number("dns_ms"), it.getBoolean("opened_ahead"))
                    },
                openedAhead = trace.getJSONArray("opened_ahead").length(),
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
    val family: String?,
    val dnsMs: Long?,
    val isOpenedAhead: Boolean,
)

/** The source addresses that servers have seen. Never part of a report. */
data class Addresses(
    val before: String? = null,
    val during: String? = null,
    val after: String? = null,
    /** Of the library's requests to the operator's side; `null` if the server does not report them. */
    val operator: Set<String>? = null,
) {
    val default: List<String?> get() = listOf(before, during, after)
}

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
    val hasNat64: Boolean? = null,
    /** Identifies the SIM for mobile data; only compared, never part of a report. */
    val dataSim: String? = null,
) {
    val facts: Map<String, String>
        get() =
            facts("default_network" to default, "vpn" to hasVpn, "check" to status, "interface" to interfaceName) +
                facts("ipv4" to hasIpv4, "ipv6" to hasIpv6, "nat64" to hasNat64)
}

fun facts(vararg facts: Pair<String, Any?>): Map<String, String> =
    facts.filter { it.second != null && it.second != "" }.associate { it.first to it.second.toString() }

/**
 * The part of an address that is the same for all connections from one network: all of an IPv4
 * address, the first 64 bits of an IPv6 address (the rest changes, RFC 8981). `null` if it is not an
 * address; never looks up a name.
 */
fun networkOf(address: String): String? {
    if (!address.matches(Regex("[0-9a-fA-F:.]{2,45}")) || (':' !in address && address.count { it == '.' } != 3)) return null
    val parsed =
        try {
            InetAddress.getByName(address)
        } catch (_: UnknownHostException) {
            return null
        }
    val length = if (parsed is Inet4Address) 4 else 8
    return (if (parsed is Inet4Address) "ipv4 " else "ipv6 ") + parsed.address.take(length).joinToString(".") { it.toUByte().toString() }
}

fun familyOf(network: String): String = network.substringBefore(' ')
