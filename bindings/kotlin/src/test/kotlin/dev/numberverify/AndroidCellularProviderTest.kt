package dev.numberverify

import android.app.ActivityManager.RunningAppProcessInfo
import android.app.Application
import android.content.Context
import android.content.pm.PackageManager
import android.net.ConnectivityManager
import android.net.ConnectivityManager.NetworkCallback
import android.net.Network
import android.net.NetworkCapabilities
import android.net.TelephonyNetworkSpecifier
import android.os.Build
import android.provider.Settings
import android.telephony.TelephonyManager
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.yield
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.shadow.api.Shadow
import org.robolectric.shadows.ShadowNetwork
import org.robolectric.shadows.ShadowNetworkCapabilities
import org.robolectric.shadows.ShadowSubscriptionManager
import java.util.concurrent.CyclicBarrier
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNull
import kotlin.test.assertTrue

/**
 * The provider against a shadowed ConnectivityManager, on Android 7 (which does not report blocked
 * networks) and on Android 15.
 */
@OptIn(ExperimentalCoroutinesApi::class)
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [24, 35], shadows = [CountingConnectivity::class])
class AndroidCellularProviderTest {
    private val app: Context = RuntimeEnvironment.getApplication()
    private val connectivity = app.getSystemService(Context.CONNECTIVITY_SERVICE) as ConnectivityManager
    private val telephony = shadowOf(app.getSystemService(Context.TELEPHONY_SERVICE) as TelephonyManager)
    private val cell = ShadowNetwork.newInstance(101)
    private val other = ShadowNetwork.newInstance(102)
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Unconfined)
    private val losses = Losses()

    /** What the provider reports about the network in use. */
    private class Losses : NetworkEvents(NoHandle) {
        val reasons = mutableListOf<CellularCause>()

        override fun lost(reason: CellularCause) {
            reasons += reason
        }
    }

    @Before
    fun setUpPhoneOnWifiWithMobileDataOn() {
        CountingConnectivity.resetCounts()
        shadowOf(app.packageManager).setSystemFeature(PackageManager.FEATURE_TELEPHONY, true)
        telephony.setSimState(TelephonyManager.SIM_STATE_READY)
        telephony.setDataEnabled(true)
        defaultNetworkIs(NetworkCapabilities.TRANSPORT_WIFI)
    }

    private fun defaultNetworkIs(transport: Int) {
        val capabilities = ShadowNetworkCapabilities.newInstance()
        shadowOf(capabilities).addTransportType(transport)
        shadowOf(connectivity).setNetworkCapabilities(connectivity.activeNetwork, capabilities)
    }

    /** Starts an acquire and runs it until it suspends. */
    private fun startAcquire(provider: AndroidCellularProvider): Deferred<NetworkBinding> =
        scope.async(start = CoroutineStart.UNDISPATCHED) { provider.acquire(losses) }

    private fun release(provider: AndroidCellularProvider) = runBlocking { provider.release() }

    private fun callback(): NetworkCallback = CountingConnectivity.callbacks.last()

    private fun assertUnregisteredOnce() {
        assertEquals(CountingConnectivity.callbacks.size, CountingConnectivity.unregistrations.size)
        assertTrue(CountingConnectivity.unregistrations.values.all { it.get() == 1 }, "${CountingConnectivity.unregistrations.values}")
    }

    /** What the system or the verifier may do while the provider waits for a network. */
    private enum class Event { AVAILABLE, ALLOWED, BLOCKED, LOST, OTHER_AVAILABLE, OTHER_ALLOWED, UNAVAILABLE, CANCEL }

    private fun NetworkCallback.deliver(event: Event) =
        when (event) {
            Event.AVAILABLE -> onAvailable(cell)
            Event.ALLOWED -> onBlockedStatusChanged(cell, false)
            Event.BLOCKED -> onBlockedStatusChanged(cell, true)
            Event.LOST -> onLost(cell)
            Event.OTHER_AVAILABLE -> onAvailable(other)
            Event.OTHER_ALLOWED -> onBlockedStatusChanged(other, false)
            Event.UNAVAILABLE -> onUnavailable()
            Event.CANCEL -> error("not for the callback")
        }

    /** The events of a usable network. */
    private fun NetworkCallback.offer() {
        deliver(Event.AVAILABLE)
        if (REPORTS_BLOCKED) deliver(Event.ALLOWED)
    }

    /** The expected result of the acquire, from an independent model. */
    private fun expected(events: List<Event>): Any? {
        var offered: Network? = null
        for (event in events) {
            when (event) {
                Event.CANCEL -> return "cancelled"
                Event.UNAVAILABLE -> return CellularCause.NO_INTERFACE
                // It has a second to become allowed: see the test of blocked networks.
                Event.BLOCKED -> {}
                Event.AVAILABLE -> if (REPORTS_BLOCKED) offered = cell else return cell
                Event.OTHER_AVAILABLE -> if (REPORTS_BLOCKED) offered = other else return other
                Event.LOST -> if (offered == cell) offered = null
                Event.ALLOWED -> if (offered == cell) return cell
                Event.OTHER_ALLOWED -> if (offered == other) return other
            }
        }
        return null
    }

    /**
     * The expected reports, from an independent model: that the network that acquire returned is
     * lost, blocked or replaced.
     */
    private fun expectedLosses(events: List<Event>): List<CellularCause> {
        val inUse = events.indices.firstOrNull { expected(events.take(it + 1)) is Network } ?: return emptyList()
        val used = expected(events)
        return events.drop(inUse + 1).mapNotNull { event ->
            when (event) {
                Event.AVAILABLE, Event.LOST, Event.BLOCKED ->
                    (if (event == Event.BLOCKED) CellularCause.VPN else CellularCause.INTERFACE_DOWN)
                        .takeIf { (used == cell) != (event == Event.AVAILABLE) }
                Event.OTHER_AVAILABLE -> CellularCause.INTERFACE_DOWN.takeIf { used == cell }
                Event.ALLOWED, Event.OTHER_ALLOWED, Event.UNAVAILABLE, Event.CANCEL -> null
            }
        }
    }

    private fun outcome(acquiring: Deferred<NetworkBinding>): Any? =
        when {
            !acquiring.isCompleted -> null
            acquiring.isCancelled ->
                when (val failure = acquiring.getCompletionExceptionOrNull()) {
                    is CellularException.Unavailable -> failure.reason
                    else -> "cancelled"
                }
            else ->
                listOf(cell, other).single {
                    NetworkBinding.AndroidNetwork(it.networkHandle.toULong()) == acquiring.getCompleted()
                }
        }

    @Test
    fun everyOrderOfEventsUnregistersOnce() {
        val events = Event.entries.filter { REPORTS_BLOCKED || it !in setOf(Event.ALLOWED, Event.OTHER_ALLOWED, Event.BLOCKED) }
        var orders = 0
        for (order in sequences(events, MAX_LENGTH)) {
            CountingConnectivity.resetCounts()
            val provider = AndroidCellularProvider(app)
            val acquiring = startAcquire(provider)
            for (event in order) if (event == Event.CANCEL) acquiring.cancel() else callback().deliver(event)
            assertEquals(expected(order), outcome(acquiring), "$order")
            assertEquals(expectedLosses(order), losses.reasons.toList(), "$order")
            losses.reasons.clear()
            acquiring.cancel()
            release(provider)
            assertEquals(1, CountingConnectivity.callbacks.size, "$order")
            assertUnregisteredOnce()
            // Late events change nothing.
            for (event in events - Event.CANCEL) callback().deliver(event)
            assertEquals(emptyList(), losses.reasons, "$order")
            release(provider)
            assertUnregisteredOnce()
            orders++
        }
        assertEquals((0..MAX_LENGTH).sumOf { power(events.size, it) }, orders)
    }

    /** A network that stays blocked, and one that is blocked only briefly. */
    @Test
    @Config(sdk = [35])
    fun blockedNetworkIsReportedUnlessAllowedWithinASecond() {
        val provider = AndroidCellularProvider(app)

        fun acquire(vararg events: Event): Any? {
            val acquiring = startAcquire(provider)
            events.forEach { callback().deliver(it) }
            runBlocking { withTimeout(Loopback.HANGS_S * 1000) { acquiring.join() } }
            return outcome(acquiring).also { release(provider) }
        }
        assertEquals(CellularCause.VPN, acquire(Event.AVAILABLE, Event.BLOCKED))
        assertEquals(cell, acquire(Event.AVAILABLE, Event.BLOCKED, Event.ALLOWED))
        assertEquals(other, acquire(Event.AVAILABLE, Event.BLOCKED, Event.LOST, Event.OTHER_AVAILABLE, Event.OTHER_ALLOWED))
        moveToBackground()
        assertEquals(CellularCause.BLOCKED_IN_BACKGROUND, acquire(Event.AVAILABLE, Event.BLOCKED))
        assertUnregisteredOnce()
    }

    /** By default, Android returns the state of the SIM for calls. */
    @Test
    @Config(sdk = [35])
    fun statusIsThatOfTheSimForMobileData() {
        val ofDataSim = Shadow.newInstanceOf(TelephonyManager::class.java)
        shadowOf(ofDataSim).setDataEnabled(true)
        telephony.setTelephonyManagerForSubscriptionId(7, ofDataSim)
        telephony.setDataEnabled(false)
        val provider = AndroidCellularProvider(app)
        assertEquals(CellularStatus.Unavailable(CellularCause.DATA_OFF), runBlocking { provider.status() })
        ShadowSubscriptionManager.setDefaultDataSubscriptionId(7)
        assertEquals(CellularStatus.WifiActive, runBlocking { provider.status() })
    }

    /** Android disables data for every SIM except the one for mobile data. */
    @Test
    @Config(sdk = [35])
    fun simThatIsNotForMobileDataIsReportedAsNotDataSim() {
        val ofOtherSim = Shadow.newInstanceOf(TelephonyManager::class.java)
        shadowOf(ofOtherSim).setDataEnabled(false)
        telephony.setTelephonyManagerForSubscriptionId(7, app.getSystemService(Context.TELEPHONY_SERVICE) as TelephonyManager)
        telephony.setTelephonyManagerForSubscriptionId(8, ofOtherSim)
        val provider = AndroidCellularProvider(app, subscriptionId = 8)

        fun status() = runBlocking { provider.status() }
        assertEquals(CellularStatus.Unavailable(CellularCause.DATA_OFF), status(), "no SIM is set for data")
        ShadowSubscriptionManager.setDefaultDataSubscriptionId(7)
        assertEquals(CellularStatus.Unavailable(CellularCause.NOT_DATA_SIM), status())
        assertEquals(CellularCause.NOT_DATA_SIM, outcome(startAcquire(provider)))
        assertTrue(CountingConnectivity.requests.isEmpty())
        ShadowSubscriptionManager.setDefaultDataSubscriptionId(8)
        assertEquals(CellularStatus.Unavailable(CellularCause.DATA_OFF), status())
    }

    /**
     * Such a request never receives a metered network, even after the system has registered that
     * the app is in the foreground.
     */
    @Test
    fun requestRegisteredUnderDataSaverIsRegisteredAgain() {
        shadowOf(connectivity).setRestrictBackgroundStatus(ConnectivityManager.RESTRICT_BACKGROUND_STATUS_ENABLED)
        val provider = AndroidCellularProvider(app)
        val waiting = startAcquire(provider)
        await { CountingConnectivity.callbacks.size == 2 }
        assertEquals(1, CountingConnectivity.unregistrations[CountingConnectivity.callbacks.first()]?.get())
        CountingConnectivity.callbacks.first().offer()
        assertNull(outcome(waiting), "the first request is unregistered")
        callback().offer()
        runBlocking { withTimeout(Loopback.HANGS_S * 1000) { waiting.join() } }
        assertEquals(cell, outcome(waiting))
        release(provider)
        assertEquals(2, CountingConnectivity.callbacks.size)
        assertUnregisteredOnce()

        val immediate = startAcquire(provider)
        callback().offer()
        assertEquals(cell, outcome(immediate))
        release(provider)
        startAcquire(provider).cancel()
        val refused = startAcquire(provider)
        moveToBackground()
        runBlocking { withTimeout(Loopback.HANGS_S * 1000) { refused.join() } }
        assertEquals(CellularCause.BLOCKED_IN_BACKGROUND, outcome(refused))
        release(provider)
        assertEquals(5, CountingConnectivity.callbacks.size)
        assertUnregisteredOnce()
    }

    private fun await(condition: () -> Boolean) = runBlocking { withTimeout(Loopback.HANGS_S * 1000) { while (!condition()) yield() } }

    /**
     * As the core does: the acquire is cancelled on one thread while the system responds on
     * another, followed by one release.
     */
    @Test
    fun cancellationRacingWithTheNetworkUnregistersOnce() =
        runBlocking(Dispatchers.Default) {
            val provider = AndroidCellularProvider(app)
            repeat(RACES) { round ->
                CountingConnectivity.resetCounts()
                val barrier = CyclicBarrier(2)
                val acquiring = async(SupervisorJob()) { provider.acquire(losses) }
                val system =
                    launch(Dispatchers.IO) {
                        if (round % 3 > 0) while (CountingConnectivity.callbacks.isEmpty() && acquiring.isActive) Thread.onSpinWait()
                        barrier.await()
                        CountingConnectivity.callbacks.lastOrNull()?.let {
                            it.offer()
                        }
                    }
                launch(Dispatchers.IO) {
                    barrier.await()
                    acquiring.cancel()
                    provider.release()
                }.join()
                system.join()
                acquiring.cancelAndJoin()
                assertUnregisteredOnce()
            }
        }

    /**
     * The release for the cancelled acquire may already have completed, so the acquire must
     * unregister its own request.
     */
    @Test
    fun acquireCancelledBeforeItReceivesTheNetworkUnregisters() {
        val caller = Job()
        CountingConnectivity.whileRequesting = {
            caller.cancel()
            it.offer()
        }
        val provider = AndroidCellularProvider(app)
        val acquiring =
            CoroutineScope(
                Dispatchers.Unconfined + caller,
            ).async(start = CoroutineStart.UNDISPATCHED) { provider.acquire(losses) }
        assertEquals("cancelled", outcome(acquiring))
        assertUnregisteredOnce()
    }

    @Test
    fun nextAcquireMakesANewRequest() {
        val provider = AndroidCellularProvider(app)
        repeat(3) {
            val acquiring = startAcquire(provider)
            callback().offer()
            assertEquals(cell, outcome(acquiring))
            release(provider)
        }
        assertEquals(3, CountingConnectivity.callbacks.size)
        assertUnregisteredOnce()
    }

    @Test
    fun requestIsForCellularInternetOnly() {
        startAcquire(AndroidCellularProvider(app)).cancel()
        val request = CountingConnectivity.requests.single()
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
            assertTrue(request.hasTransport(NetworkCapabilities.TRANSPORT_CELLULAR))
            assertTrue(request.hasCapability(NetworkCapabilities.NET_CAPABILITY_INTERNET))
            assertTrue(!request.hasCapability(NetworkCapabilities.NET_CAPABILITY_VALIDATED))
            assertNull(request.networkSpecifier)
        }
        assertUnregisteredOnce()
    }

    @Test
    @Config(sdk = [35])
    fun subscriptionIsRequested() {
        telephony.setTelephonyManagerForSubscriptionId(7, app.getSystemService(Context.TELEPHONY_SERVICE) as TelephonyManager)
        startAcquire(AndroidCellularProvider(app, subscriptionId = 7)).cancel()
        val specifier = CountingConnectivity.requests.single().networkSpecifier as TelephonyNetworkSpecifier
        assertEquals(7, specifier.subscriptionId)
    }

    /** Each obstacle is reported immediately, without a request. */
    @Test
    fun obstaclesAreReportedWithoutARequest() {
        val obstacles =
            buildMap<CellularCause, () -> Unit> {
                put(CellularCause.NO_INTERFACE) { shadowOf(app.packageManager).setSystemFeature(PackageManager.FEATURE_TELEPHONY, false) }
                put(CellularCause.AIRPLANE) { Settings.Global.putInt(app.contentResolver, Settings.Global.AIRPLANE_MODE_ON, 1) }
                put(CellularCause.NO_SIM) { telephony.setSimState(TelephonyManager.SIM_STATE_PIN_REQUIRED) }
                if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.O) put(CellularCause.DATA_OFF) { telephony.setDataEnabled(false) }
                put(CellularCause.BLOCKED_IN_BACKGROUND) {
                    shadowOf(connectivity).setRestrictBackgroundStatus(ConnectivityManager.RESTRICT_BACKGROUND_STATUS_ENABLED)
                    moveToBackground()
                }
            }
        for ((cause, arrange) in obstacles) {
            arrange()
            val provider = AndroidCellularProvider(app)
            assertEquals(cause, outcome(startAcquire(provider)))
            assertEquals(CellularStatus.Unavailable(cause), runBlocking { provider.status() })
            release(provider)
            assertTrue(CountingConnectivity.requests.isEmpty(), "$cause")
            restore()
        }
    }

    @Test
    fun dataSaverIsIgnoredInTheForeground() {
        shadowOf(connectivity).setRestrictBackgroundStatus(ConnectivityManager.RESTRICT_BACKGROUND_STATUS_ENABLED)
        assertEquals(CellularStatus.WifiActive, runBlocking { AndroidCellularProvider(app).status() })
    }

    @Test
    fun statusReportsTheDefaultNetwork() {
        val provider = AndroidCellularProvider(app)
        assertEquals(CellularStatus.WifiActive, runBlocking { provider.status() })
        defaultNetworkIs(NetworkCapabilities.TRANSPORT_CELLULAR)
        assertEquals(CellularStatus.Ready, runBlocking { provider.status() })
        shadowOf(connectivity).setNetworkCapabilities(connectivity.activeNetwork, null)
        assertEquals(CellularStatus.Unavailable(CellularCause.INTERFACE_DOWN), runBlocking { provider.status() })
        assertTrue(CountingConnectivity.requests.isEmpty())
    }

    @Test
    fun rejectedRequestsAreNotUnregistered() {
        val refusals =
            mapOf(
                CellularCause.PERMISSION to SecurityException("no CHANGE_NETWORK_STATE"),
                CellularCause.TOO_MANY_REQUESTS to RuntimeException("too many"),
            )
        for ((cause, refusal) in refusals) {
            CountingConnectivity.refusal = refusal
            val provider = AndroidCellularProvider(app)
            runBlocking {
                assertFailsWith<CellularException.Unavailable> {
                    provider.acquire(
                        losses,
                    )
                }.let { assertEquals(cause, it.reason) }
            }
            release(provider)
        }
        assertTrue(CountingConnectivity.unregistrations.isEmpty())
    }

    @Test
    fun spuriousSecurityExceptionIsRetriedOnce() {
        val permissions = arrayOf("INTERNET", "ACCESS_NETWORK_STATE", "CHANGE_NETWORK_STATE").map { "android.permission.$it" }
        shadowOf(app as Application).grantPermissions(*permissions.toTypedArray())
        for ((refusals, expected) in listOf(1 to null, 2 to CellularCause.SYSTEM_FAULT, 3 to CellularCause.SYSTEM_FAULT)) {
            CountingConnectivity.resetCounts()
            CountingConnectivity.refusal = SecurityException("Package android does not belong to 10123")
            CountingConnectivity.refusals.set(refusals)
            CountingConnectivity.whileRequesting = { it.offer() }
            val provider = AndroidCellularProvider(app)
            val outcome = runCatching { runBlocking { provider.acquire(losses) } }
            assertEquals(expected, (outcome.exceptionOrNull() as CellularException.Unavailable?)?.reason, "$refusals")
            release(provider)
            assertUnregisteredOnce()
        }
    }

    @Test
    fun cancellationBetweenBothAttemptsLeavesNoRequest() {
        shadowOf(app as Application).grantPermissions(
            "android.permission.INTERNET",
            "android.permission.ACCESS_NETWORK_STATE",
            "android.permission.CHANGE_NETWORK_STATE",
        )
        CountingConnectivity.refusal = SecurityException("Package android does not belong to 10123")
        CountingConnectivity.refusals.set(1)
        val provider = AndroidCellularProvider(app)
        val acquiring = startAcquire(provider)
        runBlocking { acquiring.cancelAndJoin() }
        release(provider)
        assertTrue(CountingConnectivity.requests.isEmpty())
    }

    private fun moveToBackground() {
        val process = RunningAppProcessInfo(app.packageName, android.os.Process.myPid(), arrayOf(app.packageName))
        process.importance = RunningAppProcessInfo.IMPORTANCE_CACHED
        shadowOf(app.getSystemService(Context.ACTIVITY_SERVICE) as android.app.ActivityManager).setProcesses(listOf(process))
    }

    private fun restore() {
        Settings.Global.putInt(app.contentResolver, Settings.Global.AIRPLANE_MODE_ON, 0)
        shadowOf(connectivity).setRestrictBackgroundStatus(ConnectivityManager.RESTRICT_BACKGROUND_STATUS_DISABLED)
        setUpPhoneOnWifiWithMobileDataOn()
    }

    private companion object {
        val REPORTS_BLOCKED = Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q
        const val MAX_LENGTH = 4
        const val RACES = 2_000

        /** All sequences of up to this length, including repetitions. */
        fun <T> sequences(
            items: List<T>,
            maxLength: Int,
        ): Sequence<List<T>> =
            sequence {
                yield(emptyList())
                if (maxLength > 0) for (rest in sequences(items, maxLength - 1)) for (item in items) yield(listOf(item) + rest)
            }

        fun power(
            base: Int,
            exponent: Int,
        ): Int = (1..exponent).fold(1) { product, _ -> product * base }
    }
}
