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

/** What the phone knows about its cellular network by itself. Never causes traffic. */
internal class PhoneState(
    private val context: Context,
    private val subscriptionId: Int?,
) {
    val connectivity = context.getSystemService(Context.CONNECTIVITY_SERVICE) as ConnectivityManager

    /** Of the SIM that is set for mobile data, if no other one is named: by itself, Android returns that of the SIM for calls. */
    private val telephony: TelephonyManager?
        get() {
            val default = context.getSystemService(Context.TELEPHONY_SERVICE) as TelephonyManager?
            val id = subscriptionId ?: SubscriptionManager.getDefaultDataSubscriptionId()
            return if (id == SubscriptionManager.INVALID_SUBSCRIPTION_ID) default else default?.createForSubscriptionId(id)
        }

    /**
     * Why the cellular network cannot come up; `null` where nothing speaks against it.
     *
     * @throws SecurityException without a permission, and from some systems with all of them.
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
     * The mobile country and network code of the SIM that is used, such as `310260` (ITU-T E.212); `null` if it is not known. Needs no
     * permission. Optional, so nothing that a system throws here ends a verification.
     */
    fun simOperator(): String? =
        try {
            telephony?.simOperator.takeUnless { it.isNullOrEmpty() }
        } catch (_: RuntimeException) {
            null
        }

    /** Those that the library's manifest declares, and which no user is asked for. */
    fun hasPermissions(): Boolean =
        listOf(Manifest.permission.INTERNET, Manifest.permission.ACCESS_NETWORK_STATE, Manifest.permission.CHANGE_NETWORK_STATE)
            .all { context.checkSelfPermission(it) == PackageManager.PERMISSION_GRANTED }

    /** Why the system blocks a network for this app. In the foreground, only "Block connections without VPN" does. */
    fun blockedBy(): CellularCause = if (isInBackground()) CellularCause.BLOCKED_IN_BACKGROUND else CellularCause.VPN

    /** Data Saver is on and does not exempt this app: in the background, it has no mobile data. */
    fun isUnderDataSaver() = connectivity.restrictBackgroundStatus == ConnectivityManager.RESTRICT_BACKGROUND_STATUS_ENABLED

    private fun hasRadio() = context.packageManager.hasSystemFeature(PackageManager.FEATURE_TELEPHONY)

    private fun isInAirplaneMode() = Settings.Global.getInt(context.contentResolver, Settings.Global.AIRPLANE_MODE_ON, 0) != 0

    /** Before API 26 an app cannot ask: the request then waits for its time limit. */
    private fun isDataEnabled(telephony: TelephonyManager) = Build.VERSION.SDK_INT < Build.VERSION_CODES.O || telephony.isDataEnabled

    /** Android turns data off for every SIM but the one that is set for it. */
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
        /** Unknown and not ready pass: they are on the way to something else. */
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
