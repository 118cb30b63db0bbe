package dev.numberverify

import android.net.ConnectivityManager
import android.net.ConnectivityManager.NetworkCallback
import android.net.NetworkRequest
import org.robolectric.annotation.Implementation
import org.robolectric.annotation.Implements
import org.robolectric.annotation.Resetter
import org.robolectric.shadows.ShadowConnectivityManager
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.atomic.AtomicInteger

/**
 * A ConnectivityManager that counts registrations and unregistrations, and rejects requests on
 * demand.
 */
@Implements(ConnectivityManager::class)
class CountingConnectivity : ShadowConnectivityManager() {
    @Implementation
    override fun requestNetwork(
        request: NetworkRequest,
        callback: NetworkCallback,
    ) {
        refusal?.let {
            if (refusals.decrementAndGet() == 0) refusal = null
            throw it
        }
        requests += request
        check(unregistrations.put(callback, AtomicInteger()) == null) { "registered twice" }
        callbacks += callback
        whileRequesting(callback)
    }

    @Implementation
    override fun unregisterNetworkCallback(callback: NetworkCallback) {
        checkNotNull(unregistrations[callback]) { "unregistered without a registration" }.incrementAndGet()
    }

    companion object {
        /** The exception with which requests fail; `null` if they succeed. */
        @Volatile
        var refusal: RuntimeException? = null

        /** The number of requests that fail with it, starting with the next one. */
        val refusals = AtomicInteger(Int.MAX_VALUE)

        /** Called before a request returns. */
        @Volatile
        var whileRequesting: (NetworkCallback) -> Unit = {}
        val requests = ConcurrentLinkedQueue<NetworkRequest>()

        /** In the order of their registration. */
        val callbacks = ConcurrentLinkedQueue<NetworkCallback>()

        /** How often each registered callback was unregistered. */
        val unregistrations = ConcurrentHashMap<NetworkCallback, AtomicInteger>()

        @JvmStatic
        @Resetter
        fun resetCounts() {
            refusal = null
            refusals.set(Int.MAX_VALUE)
            whileRequesting = {}
            requests.clear()
            callbacks.clear()
            unregistrations.clear()
        }
    }
}
