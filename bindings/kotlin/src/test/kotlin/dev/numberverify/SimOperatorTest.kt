package dev.numberverify

import android.content.Context
import android.content.pm.PackageManager
import android.os.Build
import android.telephony.TelephonyManager
import kotlinx.coroutines.runBlocking
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.Implementation
import org.robolectric.annotation.Implements
import org.robolectric.shadow.api.Shadow
import org.robolectric.shadows.ShadowNetwork
import org.robolectric.shadows.ShadowSubscriptionManager
import org.robolectric.shadows.ShadowTelephonyManager
import kotlin.test.assertEquals

/** The operator that the provider reports for the network: the operator of the SIM in use. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [24, 35], shadows = [CountingConnectivity::class])
class SimOperatorTest {
    private val app: Context = RuntimeEnvironment.getApplication()
    private val manager = app.getSystemService(Context.TELEPHONY_SERVICE) as TelephonyManager
    private val telephony = shadowOf(manager)

    private class Operators : NetworkEvents(NoHandle) {
        val reported = mutableListOf<String>()

        override fun operatedBy(mccMnc: String) {
            reported += mccMnc
        }
    }

    @Before
    fun setUpPhoneWithMobileDataOn() {
        CountingConnectivity.resetCounts()
        shadowOf(app.packageManager).setSystemFeature(PackageManager.FEATURE_TELEPHONY, true)
        telephony.setSimState(TelephonyManager.SIM_STATE_READY)
        telephony.setDataEnabled(true)
        CountingConnectivity.whileRequesting = {
            val cell = ShadowNetwork.newInstance(101)
            it.onAvailable(cell)
            if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) it.onBlockedStatusChanged(cell, false)
        }
    }

    /** Returns what is reported before acquire returns. */
    private fun reported(subscriptionId: Int? = null): List<String> =
        runBlocking {
            val provider = AndroidCellularProvider(app, subscriptionId)
            val events = Operators()
            provider.acquire(events)
            events.reported.toList().also { provider.release() }
        }

    private fun sim(
        subscription: Int,
        operator: String,
    ) {
        val ofSim = Shadow.newInstanceOf(TelephonyManager::class.java)
        shadowOf(ofSim).setSimOperator(operator)
        shadowOf(ofSim).setDataEnabled(true)
        shadowOf(ofSim).setSimState(TelephonyManager.SIM_STATE_READY)
        telephony.setTelephonyManagerForSubscriptionId(subscription, ofSim)
    }

    @Test
    fun operatorIsReportedOnceBeforeAcquireReturns() {
        telephony.setSimOperator("310260")
        assertEquals(listOf("310260"), reported())
    }

    @Test
    fun operatorIsThatOfTheSimForMobileData() {
        telephony.setSimOperator("310260")
        sim(7, "26201")
        ShadowSubscriptionManager.setDefaultDataSubscriptionId(7)
        assertEquals(listOf("26201"), reported())
    }

    /** Before Android 11, no other subscription can be requested. */
    @Test
    fun operatorIsThatOfTheRequestedSubscription() {
        sim(7, "26201")
        sim(8, "26202")
        ShadowSubscriptionManager.setDefaultDataSubscriptionId(7)
        val used = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) "26202" else "26201"
        assertEquals(listOf(used), reported(subscriptionId = 8))
    }

    @Test
    fun unknownOperatorIsNotReported() {
        for (unknown in listOf("", null)) {
            telephony.setSimOperator(unknown)
            assertEquals(emptyList(), reported(), "$unknown")
        }
    }

    @Test
    @Config(shadows = [CountingConnectivity::class, ThrowingTelephony::class])
    fun systemExceptionDoesNotFailTheAcquire() {
        assertEquals(emptyList(), reported())
    }

    /** As on Android 15, on a device that does not declare the feature. */
    @Implements(TelephonyManager::class)
    class ThrowingTelephony : ShadowTelephonyManager() {
        @Implementation
        override fun getSimOperator(): String = throw UnsupportedOperationException()
    }
}
