package dev.numberverify.sample

import android.Manifest
import android.content.Context
import android.telephony.SubscriptionManager
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** Lists of SIMs by phone state, permission and API level. */
@RunWith(RobolectricTestRunner::class)
class DataSimsTest {
    private val app = RuntimeEnvironment.getApplication()
    private val sims = DataSims(app)

    @Test
    fun `two SIMs are listed by name and operator`() {
        Cellular.insert(Cellular.sim(1, "Work", "Operator A"), Cellular.sim(2, "Operator B", "Operator B"))
        assertEquals(listOf(DataSim(1, 1, "Work, Operator A"), DataSim(2, 2, "Operator B")), sims.list())
    }

    @Test
    fun `neither a number nor an ICCID is read`() {
        Cellular.insert(Cellular.sim(1, "Work", "Operator A"), Cellular.sim(2, "Home", "Operator B"))
        val shown = sims.list().toString()
        assertFalse(shown, shown.contains(Cellular.NUMBER) || shown.contains(Cellular.ICCID))
    }

    @Test
    fun `opportunistic subscriptions are left out`() {
        Cellular.insert(Cellular.sim(1, "Work", "Operator A"), Cellular.sim(2, "Fill-in", "Operator B", isOpportunistic = true))
        assertEquals(listOf(1), sims.list().map { it.subscriptionId })
    }

    @Test
    fun `nothing is listed without the permission, which is needed on a phone with two slots`() {
        Cellular.insert(Cellular.sim(1, "Work", "Operator A"), Cellular.sim(2, "Home", "Operator B"))
        assertFalse("the permission is granted", sims.needPermission)
        shadowOf(app).denyPermissions(Manifest.permission.READ_PHONE_STATE)
        assertEquals(emptyList<DataSim>(), sims.list())
        assertTrue(sims.needPermission)
        Cellular.setSlots(1)
        assertFalse(sims.needPermission)
    }

    @Test
    fun `nothing is listed if the system denies access despite the permission`() {
        Cellular.insert(Cellular.sim(1, "Work", "Operator A"), Cellular.sim(2, "Home", "Operator B"))
        shadowOf(app.getSystemService(SubscriptionManager::class.java)).setReadPhoneStatePermission(false)
        assertEquals(emptyList<DataSim>(), sims.list())
    }

    @Test
    fun `nothing is listed without telephony`() {
        shadowOf(app).grantPermissions(Manifest.permission.READ_PHONE_STATE)
        shadowOf(app).removeSystemService(Context.TELEPHONY_SUBSCRIPTION_SERVICE)
        assertEquals(emptyList<DataSim>(), sims.list())
    }

    @Test
    @Config(sdk = [24])
    fun `nothing is listed before Android 11, which ignores the choice`() {
        shadowOf(app).denyPermissions(Manifest.permission.READ_PHONE_STATE)
        assertFalse(sims.needPermission)
        shadowOf(app).grantPermissions(Manifest.permission.READ_PHONE_STATE)
        assertEquals(emptyList<DataSim>(), sims.list())
    }
}
