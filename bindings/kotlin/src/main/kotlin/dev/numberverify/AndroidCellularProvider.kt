package dev.numberverify

import android.content.Context
import android.net.ConnectivityManager
import android.net.Network
import android.net.NetworkCapabilities
import android.net.NetworkRequest
import android.net.TelephonyNetworkSpecifier
import android.os.Build
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock

/**
 * Brings the cellular network up beside Wi-Fi, with `ConnectivityManager.requestNetwork`. The app's other traffic stays where it is.
 *
 * It has no time limit of its own: the verifier cancels [acquire] (`deadlines.acquireMs`). Give each verifier its own provider.
 *
 * Needs the permissions INTERNET, ACCESS_NETWORK_STATE and CHANGE_NETWORK_STATE, which the library's manifest declares.
 *
 * @param context any context of the app; only its application context is kept.
 * @param subscriptionId the SIM, by its id in `SubscriptionManager`; `null` for the one that is set for mobile data. Android 11 (API 30) and
 *   later; earlier systems use the SIM for mobile data.
 */
public class AndroidCellularProvider
    @JvmOverloads
    constructor(
        context: Context,
        private val subscriptionId: Int? = null,
    ) : CellularProvider {
        private val phone = PhoneState(context.applicationContext ?: context, subscriptionId)
        private val connectivity = phone.connectivity

        /** A release waits until the acquire before it, which was perhaps cancelled, is over. */
        private val turn = Mutex()
        private var held: Request? = null

        /** Brings the network up. Answers at once, without traffic, where it cannot come up: in airplane mode, without a SIM, or with mobile data off. */
        override suspend fun acquire(): NetworkBinding =
            turn.withLock {
                val request = Request()
                request.register()
                try {
                    val network = request.network.await()
                    // `await` does not check it if the network is already there, and a cancelled acquire may have had its release.
                    currentCoroutineContext().ensureActive()
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
        private inner class Request : ConnectivityManager.NetworkCallback() {
            val network = CompletableDeferred<Network>()
            private var offered: Network? = null

            fun register() {
                phone.obstacle()?.let { throw CellularException.Unavailable(it) }
                try {
                    connectivity.requestNetwork(cellular(), this)
                } catch (_: SecurityException) {
                    throw CellularException.Unavailable(CellularCause.PERMISSION)
                } catch (_: RuntimeException) {
                    // A hidden subclass: an app may have 100 requests pending.
                    throw CellularException.Unavailable(CellularCause.TOO_MANY_REQUESTS)
                }
            }

            fun unregister() = connectivity.unregisterNetworkCallback(this)

            /** The first network is kept; another one later does not move a running verification. It need not be validated: that costs time. */
            override fun onAvailable(network: Network) {
                if (tellsWhetherBlocked) offered = network else this.network.complete(network)
            }

            /** From API 29 on, always right after [onAvailable], and again when it changes. */
            override fun onBlockedStatusChanged(
                network: Network,
                blocked: Boolean,
            ) {
                if (blocked) {
                    fail(CellularCause.BLOCKED_IN_BACKGROUND)
                } else if (network == offered) {
                    this.network.complete(network)
                }
            }

            /** Lost before it was used: another one may come. Lost in use: the verification's connections fail by themselves. */
            override fun onLost(network: Network) {
                if (network == offered) offered = null
            }

            /** No network can answer this request, now or later. */
            override fun onUnavailable() = fail(CellularCause.NO_INTERFACE)

            private fun fail(reason: CellularCause) {
                network.completeExceptionally(CellularException.Unavailable(reason))
            }
        }

        private fun cellular(): NetworkRequest {
            val request =
                NetworkRequest
                    .Builder()
                    .addTransportType(NetworkCapabilities.TRANSPORT_CELLULAR)
                    .addCapability(NetworkCapabilities.NET_CAPABILITY_INTERNET)
            if (subscriptionId != null && Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
                request.setNetworkSpecifier(TelephonyNetworkSpecifier.Builder().setSubscriptionId(subscriptionId).build())
            }
            return request.build()
        }

        private companion object {
            val tellsWhetherBlocked = Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q
        }
    }
