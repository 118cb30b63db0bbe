package dev.numberverify.sample

import android.Manifest
import android.content.Intent
import android.content.pm.PackageManager
import android.view.View
import android.widget.Spinner
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import java.net.ServerSocket

/** The SIM picker on the real screen, with the real library. */
@RunWith(RobolectricTestRunner::class)
class SimPickerTest {
    private val app = RuntimeEnvironment.getApplication()

    /** SIM 1 is set for mobile data. */
    @Before
    fun insertTwoSims() {
        Cellular.setMobileData(true)
        Cellular.insert(Cellular.sim(1, "Work", "Operator A"), Cellular.sim(2, "Home", "Operator B"))
    }

    @Test
    fun `two SIMs can be chosen, and the SIM for mobile data is the default`() =
        Phone(Intent()).use { phone ->
            assertEquals(listOf("Same as mobile data", "SIM 1: Work, Operator A", "SIM 2: Home, Operator B"), phone.choices)
            assertEquals(0, phone.spinner.selectedItemPosition)
            assertFalse(phone.shows(R.id.ask_for_sims))
            phone.awaitCellular(R.string.cellular_ready)
        }

    @Test
    fun `the chosen SIM is passed on to the library`() =
        // A backend that never responds: its error must not come first.
        ServerSocket(0).use { silent ->
            Phone(Intent().putExtra(Development.BACKEND, "https://127.0.0.1:${silent.localPort}")).use { phone ->
                phone.choose(2)
                phone.awaitCellular(R.string.cellular_not_data_sim)
                phone.verify("+14155550100")
                phone.awaitCard(R.string.another_channel)
                phone.choose(0)
                phone.awaitCellular(R.string.cellular_ready)
            }
        }

    @Test
    fun `the choice survives a rotation, but not the removal of the SIM`() =
        Phone(Intent()).use { phone ->
            phone.choose(2)
            phone.rotate(Phone.LANDSCAPE)
            assertEquals(2, phone.spinner.selectedItemPosition)
            phone.awaitCellular(R.string.cellular_not_data_sim)
            Cellular.insert(Cellular.sim(1, "Work", "Operator A"))
            phone.leaveAndReturn()
            assertFalse(phone.shows(R.id.sim))
            phone.awaitCellular(R.string.cellular_ready)
        }

    @Test
    fun `no picker is shown for one SIM`() {
        Cellular.insert(Cellular.sim(1, "Work", "Operator A"))
        Phone(Intent()).use { phone -> assertFalse(phone.shows(R.id.sim) || phone.shows(R.id.ask_for_sims)) }
    }

    @Test
    fun `without the permission, a button requests it`() {
        shadowOf(app).denyPermissions(PERMISSION)
        Phone(Intent()).use { phone ->
            assertFalse(phone.shows(R.id.sim))
            phone.click(R.id.ask_for_sims)
            assertEquals(listOf(PERMISSION), phone.requestedPermissions)
            shadowOf(app).grantPermissions(PERMISSION)
            phone.setPermissionResult(PackageManager.PERMISSION_GRANTED)
            assertEquals(3, phone.choices.size)
            assertFalse(phone.shows(R.id.ask_for_sims))
        }
    }

    @Test
    fun `after a denial, the button is hidden`() {
        shadowOf(app).denyPermissions(PERMISSION)
        Phone(Intent()).use { phone ->
            phone.click(R.id.ask_for_sims)
            phone.setPermissionResult(PackageManager.PERMISSION_DENIED)
            assertFalse(phone.shows(R.id.sim) || phone.shows(R.id.ask_for_sims))
        }
    }

    @Test
    fun `the picker has a label and is at least 48 dp high`() =
        Phone(Intent()).use { phone ->
            phone.settle()
            assertTrue(phone.views.any { it.labelFor == R.id.sim })
            assertTrue(phone.spinner.height >= 48 * phone.activity.resources.displayMetrics.density)
        }

    private val Phone.spinner get() = view<Spinner>(R.id.sim)

    private val Phone.choices get() = (0 until spinner.count).map { spinner.adapter.getItem(it) }

    private val Phone.requestedPermissions
        get() = shadowOf(activity).lastRequestedPermission.requestedPermissions.toList()

    private fun Phone.choose(position: Int) {
        await("the picker") { shows(R.id.sim) && spinner.isEnabled }
        spinner.setSelection(position)
        settle()
    }

    private fun Phone.setPermissionResult(result: Int) {
        activity.onRequestPermissionsResult(shadowOf(activity).lastRequestedPermission.requestCode, arrayOf(PERMISSION), intArrayOf(result))
        leaveAndReturn()
    }

    private fun Phone.awaitCellular(text: Int) =
        await("the state of cellular") {
            text(R.id.cellular) == activity.getString(text) &&
                view<View>(R.id.cellular).isShown
        }

    private companion object {
        const val PERMISSION = Manifest.permission.READ_PHONE_STATE
    }
}
