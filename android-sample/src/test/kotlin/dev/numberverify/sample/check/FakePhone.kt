package dev.numberverify.sample.check

import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import org.json.JSONObject

/** A phone on which every step passes, unless a test changes a part of it. */
class FakePhone : CheckPlatform {
    override val device = mapOf("platform" to "android", "model" to "Test Phone", "operator" to "310-260")
    val usual = PhoneNetworks("wifi", hasVpn = false, status = "wifi_active", "rmnet0", hasIpv4 = true, hasIpv6 = true, dataSim = "1")
    var networks: (CheckStep?) -> PhoneNetworks = { usual }
    var outcome: (CheckStep?) -> Run = { verified() }
    var address: String? = "192.0.2.1"
    var library: LibraryAddresses? = LibraryAddresses(backend = setOf("192.0.2.1"), operator = setOf("198.51.100.7"))
    var obstacle: String? = null
    var goesToBackground = true
    var returnsToForeground = true

    /** Whether a verification ends before what runs meanwhile. */
    var endsFirst = false

    /** The outcome of a verification that begins in the background, if it is another one. */
    var inBackground: Run? = null
    private var isInBackground = false

    /** The step that runs. */
    var step: () -> CheckStep? = { null }

    /** It uses a connection that it has opened ahead, and one that prepare() has opened. */
    fun verified(network: String? = "android_network") =
        Run(
            "verified",
            network,
            "correlator",
            900,
            300,
            listOf(RunHop("first.test", "ipv4", 12, isOpenedAhead = true), RunHop("next.test", "ipv4", 12, isOpenedAhead = true)),
            openedAhead = listOf("next.test"),
            trace = JSONObject().put("correlator", "correlator"),
        )

    fun failed(outcome: String) = Run(outcome)

    /** The source addresses of the library's requests. */
    fun receives(
        backend: Set<String> = library!!.backend,
        operator: Set<String> = library!!.operator,
    ) {
        library = LibraryAddresses(backend, operator)
    }

    override suspend fun networks() = networks(step())

    override suspend fun verify(whileHeld: suspend () -> Unit): Run =
        coroutineScope {
            val held = launch { whileHeld() }
            if (endsFirst) held.cancel()
            held.join()
            inBackground.takeIf { isInBackground } ?: outcome(step())
        }

    override suspend fun prepare() = obstacle

    override suspend fun open(host: String) = outcome(step())

    override suspend fun defaultAddress() = address

    override suspend fun libraryAddresses(correlator: String) = library

    override suspend fun awaitForeground(isForeground: Boolean): Boolean {
        val succeeds = if (isForeground) returnsToForeground else goesToBackground
        if (succeeds) isInBackground = !isForeground
        return succeeds
    }

    /** Everything as expected by the steps for the person. */
    fun followsInstructions() {
        outcome = { step ->
            when (step) {
                CheckStep.DATA_OFF -> failed("cellular_unavailable/data_off")
                CheckStep.AIRPLANE -> failed("cellular_unavailable/airplane")
                else -> verified()
            }
        }
        networks = { step ->
            when (step) {
                CheckStep.VPN -> usual.copy(hasVpn = true)
                CheckStep.OTHER_SIM -> usual.copy(dataSim = "2")
                else -> usual
            }
        }
    }
}
