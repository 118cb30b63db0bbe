package dev.numberverify

import android.content.Context
import android.net.ConnectivityManager
import android.net.Network
import android.net.NetworkCapabilities
import android.net.NetworkRequest
import android.net.TelephonyNetworkSpecifier
import android.os.Build
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withTimeoutOrNull

/**
 * Brings the cellular network up beside Wi-Fi, with `ConnectivityManager.requestNetwork`. The app's other traffic stays where it is.
 *
 * It reports the operator of the SIM ([NetworkEvents.operatedBy]), so that the verifier remembers hosts per operator. That goes to no
 * trace, log or server.
 *
 * It has no time limit of its own: the verifier cancels [acquire] (`deadlines.acquireMs`). Give each verifier its own provider.
 *
 * Needs the permissions INTERNET, ACCESS_NETWORK_STATE and CHANGE_NETWORK_STATE, which the library's manifest declares.
 *
 * @param context any context of the app; only its application context is kept.
 * @param subscriptionId the SIM that has to be the one for mobile data, by its id in `SubscriptionManager`; `null` for whichever it is.
 *   Android 11 (API 30) and later; earlier systems ignore it.
 */
public class AndroidCellularProvider
    @JvmOverloads
    constructor(
        context: Context,
        private val subscriptionId: Int? = null,
    ) : CellularProvider {
        private val phone = PhoneState(context.applicationContext ?: context, subscriptionId.takeIf { takesSubscription })
        private val connectivity = phone.connectivity

        /** A release waits until the acquire before it, which was perhaps cancelled, is over. */
        private val turn = Mutex()
        private var held: Request? = null

        /** Brings the network up. Answers at once, without traffic, where it cannot come up: in airplane mode, without a SIM, or with mobile data off. */
        override suspend fun acquire(events: NetworkEvents): NetworkBinding =
            turn.withLock {
                var request = Request(events)
                try {
                    request.register()
                    if (phone.isUnderDataSaver() && !request.isOffered()) {
                        request.unregister()
                        request = Request(events).apply { register() }
                    }
                    val network = request.network()
                    // That does not check it if the network is already there, and a cancelled acquire may have had its release.
                    currentCoroutineContext().ensureActive()
                    phone.simOperator()?.let(events::operatedBy)
                    held = request
                    NetworkBinding.AndroidNetwork(network.networkHandle.toULong())
                } catch (failure: Throwable) {
                    request.unregister()
                    throw failure
                }
            }

        /** Lets the network go. Does nothing where [acquire] did not bring it up. */
        override suspend fun release(): Unit =
            turn.withLock {
                held?.unregister()
                held = null
            }

        /** Whether a verification could run now; sends nothing. */
        override suspend fun status(): CellularStatus = phone.status()

        /** One network request: registered once, unregistered once. Its events come on a thread of ConnectivityManager, in the system's order. */
        private inner class Request(
            private val events: NetworkEvents,
        ) : ConnectivityManager.NetworkCallback() {
            private val offers = MutableStateFlow<Offer>(Offer.Awaited)
            private var offered: Network? = null
            private var isRegistered = false

            /** The system may still have events for a request that was unregistered. */
            @Volatile
            private var isOver = false

            /**
             * Whether a network is offered in time. A request that is filed while Data Saver restricts the app never gets a metered one, also
             * after the app has come to the foreground, which the system learns asynchronously.
             */
            suspend fun isOffered(): Boolean = withTimeoutOrNull(FOREGROUND_MS) { offers.first { it != Offer.Awaited } } != null

            /**
             * Waits for the network. One that is blocked has a moment to become usable: the system learns asynchronously that the app has
             * come to the foreground.
             */
            suspend fun network(): Network {
                while (true) {
                    when (val offer = offers.first { it != Offer.Awaited }) {
                        is Offer.Usable -> return offer.network
                        is Offer.Refused -> throw CellularException.Unavailable(offer.reason)
                        Offer.Awaited, Offer.Blocked ->
                            withTimeoutOrNull(FOREGROUND_MS) { offers.first { it != Offer.Blocked } }
                                ?: throw CellularException.Unavailable(phone.blockedBy())
                    }
                }
            }

            /** Android 11 throws a SecurityException now and then although the permissions are there (issuetracker.google.com/175055271). */
            suspend fun register() {
                try {
                    return tryToRegister()
                } catch (_: SecurityException) {
                    if (!phone.hasPermissions()) throw CellularException.Unavailable(CellularCause.PERMISSION)
                }
                delay(SYSTEM_FAULT_MS)
                try {
                    tryToRegister()
                } catch (_: SecurityException) {
                    throw CellularException.Unavailable(CellularCause.SYSTEM_FAULT)
                }
            }

            private fun tryToRegister() {
                phone.obstacle()?.let { throw CellularException.Unavailable(it) }
                try {
                    connectivity.requestNetwork(cellular(), this)
                    isRegistered = true
                } catch (failure: SecurityException) {
                    throw failure
                } catch (_: RuntimeException) {
                    // A hidden subclass: an app may have 100 requests pending.
                    throw CellularException.Unavailable(CellularCause.TOO_MANY_REQUESTS)
                }
            }

            fun unregister() {
                isOver = true
                if (isRegistered) connectivity.unregisterNetworkCallback(this)
                isRegistered = false
            }

            /**
             * The first network is used. It need not be validated: that costs time. Another one later replaces it: the system keeps the first
             * one for some seconds only, and the other may be that of the other SIM.
             */
            override fun onAvailable(network: Network) {
                if (isInUse()) {
                    if (network != offered) events.lost(CellularCause.INTERFACE_DOWN)
                    return
                }
                offered = network
                offer(if (tellsWhetherBlocked) Offer.Awaited else Offer.Usable(network))
            }

            /** From API 29 on, always right after [onAvailable], and again when it changes. */
            override fun onBlockedStatusChanged(
                network: Network,
                blocked: Boolean,
            ) {
                when {
                    network != offered -> return
                    !isInUse() -> offer(if (blocked) Offer.Blocked else Offer.Usable(network))
                    blocked -> events.lost(phone.blockedBy())
                }
            }

            /** Lost before it was used: another one may come. */
            override fun onLost(network: Network) {
                if (network != offered) return
                if (isInUse()) return events.lost(CellularCause.INTERFACE_DOWN)
                offered = null
                offer(Offer.Awaited)
            }

            /** No network can answer this request, now or later. */
            override fun onUnavailable() = offer(Offer.Refused(CellularCause.NO_INTERFACE))

            private fun isInUse() = !isOver && offers.value is Offer.Usable

            private fun offer(next: Offer) = offers.update { if (it is Offer.Usable || it is Offer.Refused) it else next }
        }

        /** What has become of a request. The last two are final. */
        private sealed interface Offer {
            data object Awaited : Offer

            /** The network is there, and the app may not use it. */
            data object Blocked : Offer

            data class Usable(
                val network: Network,
            ) : Offer

            data class Refused(
                val reason: CellularCause,
            ) : Offer
        }

        private fun cellular(): NetworkRequest {
            val request =
                NetworkRequest
                    .Builder()
                    .addTransportType(NetworkCapabilities.TRANSPORT_CELLULAR)
                    .addCapability(NetworkCapabilities.NET_CAPABILITY_INTERNET)
            if (subscriptionId != null && takesSubscription) {
                request.setNetworkSpecifier(TelephonyNetworkSpecifier.Builder().setSubscriptionId(subscriptionId).build())
            }
            return request.build()
        }

        private companion object {
            val tellsWhetherBlocked = Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q
            val takesSubscription = Build.VERSION.SDK_INT >= Build.VERSION_CODES.R
        }
    }

/** Some 100 ms pass until the system knows that an app is in the foreground. */
private const val FOREGROUND_MS = 1_000L

/** How long the system has to find the app's permissions. */
private const val SYSTEM_FAULT_MS = 500L
