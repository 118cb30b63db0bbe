package dev.numberverify.sample.check

import android.content.Context
import android.net.ConnectivityManager
import android.net.LinkProperties
import android.net.NetworkCapabilities
import android.os.Build
import android.telephony.SubscriptionManager
import dev.numberverify.CellularStatus
import java.net.Inet4Address
import java.net.Inet6Address
import java.net.NetworkInterface
import java.net.SocketException

/** The networks of this phone, as the platform reports them. */
class AndroidNetworks(
    context: Context,
) {
    private val connectivity = context.getSystemService(ConnectivityManager::class.java)

    fun current(status: CellularStatus?): PhoneNetworks {
        val default = connectivity.getNetworkCapabilities(connectivity.activeNetwork)
        val cellular = cellular()
        // Without the IPv4 address of 464XLAT, which belongs to another interface.
        val addresses = cellular?.linkAddresses?.map { it.address }?.filterNot { it.isLinkLocalAddress }
        return PhoneNetworks(
            default = default?.name ?: "none",
            hasVpn = default?.hasTransport(NetworkCapabilities.TRANSPORT_VPN) == true,
            status = status?.name ?: "unknown",
            interfaceName = cellular?.interfaceName,
            hasIpv4 = addresses?.any { it is Inet4Address },
            hasIpv6 = addresses?.any { it is Inet6Address },
            has464Xlat = cellular?.let { has464Xlat(it) },
            dataSim =
                SubscriptionManager.getDefaultDataSubscriptionId().takeIf { it != SubscriptionManager.INVALID_SUBSCRIPTION_ID }?.toString(),
        )
    }

    /** A NAT64 prefix, or an address in 192.0.0.0/24 of the interface that the system adds for 464XLAT. */
    private fun has464Xlat(cellular: LinkProperties): Boolean {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R && cellular.nat64Prefix != null) return true
        val stacked =
            try {
                NetworkInterface.getByName("v4-${cellular.interfaceName}")
            } catch (_: SocketException) {
                null
            }
        return stacked
            ?.inetAddresses
            ?.asSequence()
            .orEmpty()
            .any { it is Inet4Address && it.hostAddress.orEmpty().startsWith("192.0.0.") }
    }

    /** Held by the library at this time, or absent. */
    private fun cellular(): LinkProperties? {
        @Suppress("DEPRECATION") // The alternative is a callback that stays registered.
        val network =
            connectivity.allNetworks.find {
                val capabilities = connectivity.getNetworkCapabilities(it)
                capabilities?.hasTransport(NetworkCapabilities.TRANSPORT_CELLULAR) == true &&
                    capabilities.hasCapability(NetworkCapabilities.NET_CAPABILITY_INTERNET)
            }
        return connectivity.getLinkProperties(network ?: return null)
    }

    private val NetworkCapabilities.name: String
        get() =
            when {
                hasTransport(NetworkCapabilities.TRANSPORT_WIFI) -> "wifi"
                hasTransport(NetworkCapabilities.TRANSPORT_CELLULAR) -> "cellular"
                else -> "other"
            }

    private val CellularStatus.name: String
        get() =
            when (this) {
                CellularStatus.Ready -> "ready"
                CellularStatus.WifiActive -> "wifi_active"
                is CellularStatus.Unavailable -> reason.name.lowercase()
            }
}
