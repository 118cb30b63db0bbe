package dev.numberverify.sample

import android.content.Context
import android.content.pm.PackageManager
import android.net.ConnectivityManager
import android.telephony.TelephonyManager
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

/** The phone's own cellular network, as the platform tells of it. */
object Cellular {
    private val app get() = RuntimeEnvironment.getApplication()

    /** How many network requests of the app are pending or held. */
    val requests: Int
        get() = shadowOf(app.getSystemService(Context.CONNECTIVITY_SERVICE) as ConnectivityManager).networkCallbacks.size

    fun setMobileData(on: Boolean) {
        shadowOf(app.packageManager).setSystemFeature(PackageManager.FEATURE_TELEPHONY, true)
        val telephony = shadowOf(app.getSystemService(Context.TELEPHONY_SERVICE) as TelephonyManager)
        telephony.setSimState(TelephonyManager.SIM_STATE_READY)
        telephony.setDataEnabled(on)
    }
}
