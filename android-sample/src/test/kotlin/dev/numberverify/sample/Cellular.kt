package dev.numberverify.sample

import android.content.Context
import android.content.pm.PackageManager
import android.telephony.TelephonyManager
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

/** The phone's own cellular network, as the platform tells of it. */
object Cellular {
    private val app get() = RuntimeEnvironment.getApplication()

    fun setMobileData(on: Boolean) {
        shadowOf(app.packageManager).setSystemFeature(PackageManager.FEATURE_TELEPHONY, true)
        val telephony = app.getSystemService(Context.TELEPHONY_SERVICE) as TelephonyManager
        shadowOf(telephony).setSimState(TelephonyManager.SIM_STATE_READY)
        shadowOf(telephony).setDataEnabled(on)
    }
}
