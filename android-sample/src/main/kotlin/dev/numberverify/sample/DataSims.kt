package dev.numberverify.sample

import android.Manifest
import android.content.Context
import android.content.pm.PackageManager
import android.os.Build
import android.telephony.SubscriptionInfo
import android.telephony.SubscriptionManager
import android.telephony.TelephonyManager

/**
 * Lists the SIMs of this phone. Android 11 and later: earlier versions ignore the library's setting
 * `subscriptionId`.
 */
class DataSims(
    private val context: Context,
) {
    /** Whether the user could choose a SIM if the permission were granted. */
    val needPermission: Boolean
        get() {
            if (Build.VERSION.SDK_INT < Build.VERSION_CODES.R || isPermitted()) return false
            val telephony = context.getSystemService(TelephonyManager::class.java)
            return telephony != null && telephony.activeModemCount > 1
        }

    /**
     * Returns the active SIMs; empty without the permission. Omits opportunistic ones: the system
     * selects those, not the user. Android has no public API to recognize the bootstrap profile of
     * an eSIM, or, before Android 15, a SIM without data.
     */
    fun list(): List<DataSim> {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.R || !isPermitted()) return emptyList()
        return try {
            val manager: SubscriptionManager? = context.getSystemService(SubscriptionManager::class.java)
            manager
                ?.activeSubscriptionInfoList
                .orEmpty()
                .filterNot { it.isOpportunistic }
                .map(::DataSim)
        } catch (_: SecurityException) {
            // Some systems deny access despite the permission, such as in a work profile.
            emptyList()
        } catch (_: UnsupportedOperationException) {
            // Android 15 and later, on a device without SIMs.
            emptyList()
        }
    }

    private fun isPermitted() = context.checkSelfPermission(Manifest.permission.READ_PHONE_STATE) == PackageManager.PERMISSION_GRANTED
}

/** A SIM that the user can choose. Does not contain its phone number or ICCID. */
data class DataSim(
    val subscriptionId: Int,
    /** The slot, from 1, as in the system's settings. */
    val slot: Int,
    /** The user's name for it, and its operator. */
    val name: String,
) {
    constructor(info: SubscriptionInfo) : this(
        subscriptionId = info.subscriptionId,
        slot = info.simSlotIndex + 1,
        name =
            listOfNotNull(info.displayName, info.carrierName)
                .map { it.toString().trim() }
                .filter { it.isNotEmpty() }
                .distinct()
                .joinToString(),
    )
}
