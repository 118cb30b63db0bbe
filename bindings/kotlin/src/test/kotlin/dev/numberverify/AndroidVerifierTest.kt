package dev.numberverify

import android.content.Context
import android.content.pm.ApplicationInfo
import android.content.pm.PackageManager
import android.net.ConnectivityManager.NetworkCallback
import android.telephony.TelephonyManager
import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.yield
import org.junit.AfterClass
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowNetwork
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

/** The verifier of an Android app: a context, the real Rust library and a shadowed phone. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], shadows = [CountingConnectivity::class])
class AndroidVerifierTest {
    private val app: Context = RuntimeEnvironment.getApplication()
    private val telephony = shadowOf(app.getSystemService(Context.TELEPHONY_SERVICE) as TelephonyManager)

    @Before
    fun setUpPhoneWithMobileDataOn() {
        CountingConnectivity.resetCounts()
        shadowOf(app.packageManager).setSystemFeature(PackageManager.FEATURE_TELEPHONY, true)
        telephony.setSimState(TelephonyManager.SIM_STATE_READY)
        telephony.setDataEnabled(true)
    }

    private fun debuggable(isDebuggable: Boolean) {
        val info = app.applicationInfo
        info.flags =
            if (isDebuggable) info.flags or ApplicationInfo.FLAG_DEBUGGABLE else info.flags and ApplicationInfo.FLAG_DEBUGGABLE.inv()
    }

    /** Creates a verifier without the development setting. */
    private fun verifier() =
        NumberVerifier(app, simulator.backend()) {
            simulator.trust(this)
            development.anyNetwork = false
        }

    private suspend fun awaitRequest(): NetworkCallback =
        withTimeout(Loopback.HANGS_S * 1000) {
            while (CountingConnectivity.callbacks.isEmpty()) yield()
            CountingConnectivity.callbacks.single()
        }

    @Test
    fun debuggableAppMayUseAnyNetwork() {
        debuggable(true)
        val verification = NumberVerifier(app, simulator.backend(), simulator::trust).use { runBlocking { it.verify(Simulator.NUMBER) } }
        assertTrue(verification.verified)
        assertEquals(NetworkKind.UNBOUND, verification.trace.network)
        assertTrue(CountingConnectivity.requests.isEmpty())
    }

    @Test
    fun releaseBuildRejectsAnyNetwork() {
        debuggable(false)
        val error = assertFailsWith<VerifyException.InvalidConfig> { NumberVerifier(app, simulator.backend(), simulator::trust) }
        assertEquals("anyNetwork", error.setting)
        val customBackend = OneUrl(simulator.authUrl())
        assertFailsWith<VerifyException.InvalidConfig> { NumberVerifier(app, customBackend, "https://unused.test", simulator::trust) }
    }

    @Test
    fun mobileDataOffFailsWithoutARequest() {
        telephony.setDataEnabled(false)
        verifier().use {
            val error = assertFailsWith<VerifyException.CellularUnavailable> { runBlocking { it.verify(Simulator.NUMBER) } }
            assertEquals(CellularCause.DATA_OFF, error.reason)
            assertEquals(Fallback.ASK_TO_ENABLE_MOBILE_DATA, error.fallback)
            assertEquals(CellularStatus.Unavailable(CellularCause.DATA_OFF), runBlocking { it.check() })
        }
        assertTrue(CountingConnectivity.requests.isEmpty())
    }

    /**
     * This system has no Android networks to bind to, which the core reports after it has received
     * one.
     */
    @Test
    fun networkReachesTheCoreAndIsReleasedOnce() =
        runBlocking(Dispatchers.Default) {
            verifier().use { verifier ->
                val verification = async { runCatching { verifier.verify(Simulator.NUMBER) } }
                awaitRequest().apply {
                    val cell = ShadowNetwork.newInstance(101)
                    onAvailable(cell)
                    onBlockedStatusChanged(cell, false)
                }
                val error = assertFailsWith<VerifyException.CellularUnavailable> { verification.await().getOrThrow() }
                assertEquals(CellularCause.UNSUPPORTED, error.reason)
            }
            assertUnregisteredOnce()
        }

    @Test
    fun verificationCancelledWhileAcquiringReleasesTheNetworkOnce() =
        runBlocking(Dispatchers.Default) {
            verifier().use { verifier ->
                val verification = launch { verifier.verify(Simulator.NUMBER) }
                awaitRequest()
                verification.cancelAndJoin()
            }
            assertUnregisteredOnce()
        }

    @Test
    fun networkAcquireTimeoutReleasesOnce() =
        runBlocking(Dispatchers.Default) {
            val verifier =
                NumberVerifier(app, simulator.backend()) {
                    simulator.trust(this)
                    development.anyNetwork = false
                    // Enough time for the request, even on a busy machine.
                    deadlines.acquireMs = 2_000
                }
            verifier.use {
                val error = assertFailsWith<VerifyException.CellularUnavailable> { it.verify(Simulator.NUMBER) }
                assertEquals(CellularCause.TIMEOUT, error.reason)
            }
            assertUnregisteredOnce()
        }

    /** The release follows the end of the verification, on another thread. */
    private suspend fun assertUnregisteredOnce() {
        withTimeout(Loopback.HANGS_S * 1000) {
            while (CountingConnectivity.unregistrations.values.any { it.get() == 0 }) yield()
        }
        assertEquals(listOf(1), CountingConnectivity.unregistrations.values.map { it.get() })
    }

    companion object {
        private val simulator by lazy { Simulator() }

        @AfterClass
        @JvmStatic
        fun stop() = simulator.close()
    }
}
