package dev.numberverify

import android.Manifest
import android.app.ActivityManager
import android.app.ActivityManager.RunningAppProcessInfo
import android.content.Context
import android.content.pm.PackageManager
import android.net.ConnectivityManager
import android.net.NetworkCapabilities
import android.os.Build
import android.provider.Settings
import android.telephony.SubscriptionManager
import android.telephony.TelephonyManager

/** The phone's local state of its cellular network. Never causes traffic. */
internal class PhoneState(
    private val context: Context,
    private val subscriptionId: Int?,
) {
    val connectivity = context.getSystemService(Context.CONNECTIVITY_SERVICE) as ConnectivityManager

    /**
     * For the SIM for mobile data, unless a subscription is set: by default, Android returns the
     * manager of the SIM for calls.
     */
    private val telephony: TelephonyManager?
        get() {
            val default = context.getSystemService(Context.TELEPHONY_SERVICE) as TelephonyManager?
            val id = subscriptionId ?: SubscriptionManager.getDefaultDataSubscriptionId()
            return if (id == SubscriptionManager.INVALID_SUBSCRIPTION_ID) default else default?.createForSubscriptionId(id)
        }

    /**
     * Returns why the cellular network is unavailable; `null` if nothing prevents it.
     *
     * @throws SecurityException if a permission is missing; some systems also throw it although all
     *   are granted.
     */
    fun obstacle(): CellularCause? {
        val telephony = telephony
        return when {
            telephony == null || !hasRadio() -> CellularCause.NO_INTERFACE
            isInAirplaneMode() -> CellularCause.AIRPLANE
            telephony.simState in UNUSABLE_SIMS -> CellularCause.NO_SIM
            !isDataEnabled(telephony) -> if (isAnotherSimForData()) CellularCause.NOT_DATA_SIM else CellularCause.DATA_OFF
            isRestrictedInBackground() -> CellularCause.BLOCKED_IN_BACKGROUND
            else -> null
        }
    }

    fun status(): CellularStatus =
        try {
            val obstacle = obstacle()
            val active = connectivity.getNetworkCapabilities(connectivity.activeNetwork)
            when {
                obstacle != null -> CellularStatus.Unavailable(obstacle)
                active == null -> CellularStatus.Unavailable(CellularCause.INTERFACE_DOWN)
                active.hasTransport(NetworkCapabilities.TRANSPORT_WIFI) -> CellularStatus.WifiActive
                else -> CellularStatus.Ready
            }
        } catch (_: SecurityException) {
            CellularStatus.Unavailable(if (hasPermissions()) CellularCause.SYSTEM_FAULT else CellularCause.PERMISSION)
        }

    /**
     * Returns the mobile country and network code of the SIM in use, such as `310260` (ITU-T
     * E.212); `null` if it is unknown. Requires no permission. Optional: an exception of the system
     * does not end a verification.
     */
    fun simOperator(): String? =
        try {
            telephony?.simOperator.takeUnless { it.isNullOrEmpty() }
        } catch (_: RuntimeException) {
            null
        }

    /** The permissions that the library's manifest declares. They are granted at install time. */
    fun hasPermissions(): Boolean =
        listOf(Manifest.permission.INTERNET, Manifest.permission.ACCESS_NETWORK_STATE, Manifest.permission.CHANGE_NETWORK_STATE)
            .all { context.checkSelfPermission(it) == PackageManager.PERMISSION_GRANTED }

    /**
     * Returns why the system blocks a network for this app. In the foreground, only "Block
     * connections without VPN" does.
     */
    fun blockedBy(): CellularCause = if (isInBackground()) CellularCause.BLOCKED_IN_BACKGROUND else CellularCause.VPN

    /**
     * Returns whether Data Saver is on without an exemption for this app: in the background, it
     * then has no mobile data.
     */
    fun isUnderDataSaver() = connectivity.restrictBackgroundStatus == ConnectivityManager.RESTRICT_BACKGROUND_STATUS_ENABLED

    private fun hasRadio() = context.packageManager.hasSystemFeature(PackageManager.FEATURE_TELEPHONY)

    private fun isInAirplaneMode() = Settings.Global.getInt(context.contentResolver, Settings.Global.AIRPLANE_MODE_ON, 0) != 0

    /** Before API 26 this cannot be queried: the network request then runs into its timeout. */
    private fun isDataEnabled(telephony: TelephonyManager) = Build.VERSION.SDK_INT < Build.VERSION_CODES.O || telephony.isDataEnabled

    /** Android disables data for every SIM except the one for mobile data. */
    private fun isAnotherSimForData(): Boolean {
        val forData = SubscriptionManager.getDefaultDataSubscriptionId()
        return subscriptionId != null && forData != SubscriptionManager.INVALID_SUBSCRIPTION_ID && forData != subscriptionId
    }

    private fun isRestrictedInBackground() = isUnderDataSaver() && isInBackground()

    private fun isInBackground(): Boolean {
        val process = RunningAppProcessInfo().also(ActivityManager::getMyMemoryState)
        return process.importance > RunningAppProcessInfo.IMPORTANCE_FOREGROUND_SERVICE
    }

    private companion object {
        /** Unknown and not ready are not among them: these states are transient. */
        val UNUSABLE_SIMS =
            setOf(
                TelephonyManager.SIM_STATE_ABSENT,
                TelephonyManager.SIM_STATE_PIN_REQUIRED,
                TelephonyManager.SIM_STATE_PUK_REQUIRED,
                TelephonyManager.SIM_STATE_NETWORK_LOCKED,
                TelephonyManager.SIM_STATE_PERM_DISABLED,
                TelephonyManager.SIM_STATE_CARD_IO_ERROR,
                TelephonyManager.SIM_STATE_CARD_RESTRICTED,
            )
    }
}
