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
 * Acquires the cellular network in addition to Wi-Fi, with `ConnectivityManager.requestNetwork`.
 * The network of the app's other traffic does not change.
 *
 * Reports the operator of the SIM ([NetworkEvents.operatedBy]), so that the verifier remembers
 * hosts per operator. The operator is neither traced nor logged nor sent to a server.
 *
 * Has no timeout: the verifier cancels [acquire] after `deadlines.acquireMs`. Use a separate
 * provider for each verifier.
 *
 * Requires the permissions INTERNET, ACCESS_NETWORK_STATE and CHANGE_NETWORK_STATE, which the
 * library's manifest declares.
 *
 * @param context any context of the app; only its application context is retained.
 * @param subscriptionId the subscription ID (`SubscriptionManager`) of the SIM that must be the one
 *   for mobile data; `null` accepts any SIM. Android 11 (API 30) and later; ignored on earlier
 *   versions.
 */
public class AndroidCellularProvider
    @JvmOverloads
    constructor(
        context: Context,
        private val subscriptionId: Int? = null,
    ) : CellularProvider {
        private val phone = PhoneState(context.applicationContext ?: context, subscriptionId.takeIf { takesSubscription })
        private val connectivity = phone.connectivity

        /** Serializes [acquire] and [release], including cancelled acquires. */
        private val acquireLock = Mutex()
        private var held: Request? = null

        /**
         * Acquires the network. Throws [CellularException.Unavailable] immediately, without
         * traffic, in airplane mode, without a SIM, or with mobile data off. Cancelling the
         * coroutine unregisters the network request.
         */
        override suspend fun acquire(events: NetworkEvents): NetworkBinding =
            acquireLock.withLock {
                var request = Request(events)
                try {
                    request.register()
                    if (phone.isUnderDataSaver() && !request.isOffered()) {
                        request.unregister()
                        request = Request(events).apply { register() }
                    }
                    val network = request.network()
                    // network() does not check for cancellation if the network is already
                    // available, and a cancelled acquire may already have been released.
                    currentCoroutineContext().ensureActive()
                    phone.simOperator()?.let(events::operatedBy)
                    held = request
                    NetworkBinding.AndroidNetwork(network.networkHandle.toULong())
                } catch (failure: Throwable) {
                    request.unregister()
                    throw failure
                }
            }

        /** Releases the network. No-op if [acquire] did not acquire it. */
        override suspend fun release(): Unit =
            acquireLock.withLock {
                held?.unregister()
                held = null
            }

        /** Returns whether a verification could run now. Sends nothing. */
        override suspend fun status(): CellularStatus = phone.status()

        /**
         * One network request: registered once, unregistered once. Its callbacks run on a thread of
         * ConnectivityManager, in the system's order.
         */
        private inner class Request(
            private val events: NetworkEvents,
        ) : ConnectivityManager.NetworkCallback() {
            private val offers = MutableStateFlow<Offer>(Offer.Awaited)
            private var offered: Network? = null
            private var isRegistered = false

            /** The system may still deliver events after the request was unregistered. */
            @Volatile
            private var isUnregistered = false

            /**
             * Returns whether a network is offered in time. A request that is registered while Data
             * Saver restricts the app never receives a metered network, even after the app has
             * moved to the foreground, which the system registers asynchronously.
             */
            suspend fun isOffered(): Boolean = withTimeoutOrNull(FOREGROUND_MS) { offers.first { it != Offer.Awaited } } != null

            /**
             * Waits for the network. A blocked network has [FOREGROUND_MS] to become usable: the
             * system registers asynchronously that the app has moved to the foreground.
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

            /**
             * Android 11 occasionally throws a SecurityException although the permissions are
             * granted (issuetracker.google.com/175055271).
             */
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
                    // A hidden subclass: an app is limited to 100 pending requests.
                    throw CellularException.Unavailable(CellularCause.TOO_MANY_REQUESTS)
                }
            }

            fun unregister() {
                isUnregistered = true
                if (isRegistered) connectivity.unregisterNetworkCallback(this)
                isRegistered = false
            }

            /**
             * Uses the first network, validated or not: waiting for validation costs time. A later
             * network ends its use: the system keeps the first one for some seconds only, and the
             * later one may belong to the other SIM.
             */
            override fun onAvailable(network: Network) {
                if (isInUse()) {
                    if (network != offered) events.lost(CellularCause.INTERFACE_DOWN)
                    return
                }
                offered = network
                offer(if (reportsBlocked) Offer.Awaited else Offer.Usable(network))
            }

            /** From API 29 on, called immediately after [onAvailable] and again on each change. */
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

            /** If the network is lost before it is used, another one may become available. */
            override fun onLost(network: Network) {
                if (network != offered) return
                if (isInUse()) return events.lost(CellularCause.INTERFACE_DOWN)
                offered = null
                offer(Offer.Awaited)
            }

            /** No network can satisfy this request, now or later. */
            override fun onUnavailable() = offer(Offer.Refused(CellularCause.NO_INTERFACE))

            private fun isInUse() = !isUnregistered && offers.value is Offer.Usable

            private fun offer(next: Offer) = offers.update { if (it is Offer.Usable || it is Offer.Refused) it else next }
        }

        /** The state of a request. The last two are final. */
        private sealed interface Offer {
            data object Awaited : Offer

            /** The network is available, but blocked for this app. */
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
            val reportsBlocked = Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q
            val takesSubscription = Build.VERSION.SDK_INT >= Build.VERSION_CODES.R
        }
    }

/** The system takes some 100 ms to register that an app is in the foreground. */
private const val FOREGROUND_MS = 1_000L

/** The delay before the second attempt after a spurious SecurityException. */
private const val SYSTEM_FAULT_MS = 500L
