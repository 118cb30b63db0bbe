package dev.numberverify.sample

import android.Manifest
import android.content.Context
import android.content.pm.PackageManager
import android.net.ConnectivityManager
import android.telephony.SubscriptionInfo
import android.telephony.SubscriptionManager
import android.telephony.TelephonyManager
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadow.api.Shadow
import org.robolectric.shadows.ShadowSubscriptionManager
import org.robolectric.shadows.ShadowSubscriptionManager.SubscriptionInfoBuilder

/** The phone's cellular network, as the platform reports it. */
object Cellular {
    const val NUMBER = "+14155550100"
    const val ICCID = "8901410000000000001"

    private val app get() = RuntimeEnvironment.getApplication()
    private val telephony get() = shadowOf(app.getSystemService(Context.TELEPHONY_SERVICE) as TelephonyManager)

    /** The number of the app's network requests that are pending or held. */
    val requests: Int
        get() = shadowOf(app.getSystemService(Context.CONNECTIVITY_SERVICE) as ConnectivityManager).networkCallbacks.size

    fun setMobileData(on: Boolean) {
        shadowOf(app.packageManager).setSystemFeature(PackageManager.FEATURE_TELEPHONY, true)
        telephony.setSimState(TelephonyManager.SIM_STATE_READY)
        telephony.setDataEnabled(on)
    }

    /**
     * Inserts SIMs into a phone with two slots, whose app may list them. The first one is set for
     * mobile data; Android disables data for the others.
     */
    fun insert(vararg sims: SubscriptionInfo) {
        shadowOf(app).grantPermissions(Manifest.permission.READ_PHONE_STATE)
        setSlots(2)
        val manager = app.getSystemService(SubscriptionManager::class.java)
        shadowOf(manager).setActiveSubscriptionInfoList(sims.toList())
        ShadowSubscriptionManager.setDefaultDataSubscriptionId(sims.first().subscriptionId)
        telephony.setTelephonyManagerForSubscriptionId(sims.first().subscriptionId, app.getSystemService(TelephonyManager::class.java))
        sims.drop(1).forEach { telephony.setTelephonyManagerForSubscriptionId(it.subscriptionId, withoutData()) }
    }

    fun sim(
        id: Int,
        name: String,
        operator: String,
        isOpportunistic: Boolean = false,
    ): SubscriptionInfo =
        SubscriptionInfoBuilder
            .newBuilder()
            .setId(id)
            .setSimSlotIndex(id - 1)
            .setDisplayName(name)
            .setCarrierName(operator)
            .setNumber(NUMBER)
            .setIccId(ICCID)
            .setIsOpportunistic(isOpportunistic)
            .buildSubscriptionInfo()

    fun setSlots(count: Int) = telephony.setActiveModemCount(count)

    private fun withoutData(): TelephonyManager =
        Shadow.newInstanceOf(TelephonyManager::class.java).also {
            shadowOf(it).setSimState(TelephonyManager.SIM_STATE_READY)
            shadowOf(it).setDataEnabled(false)
        }
}
