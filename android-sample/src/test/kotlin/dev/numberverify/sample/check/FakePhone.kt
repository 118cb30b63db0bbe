package dev.numberverify.sample.check

import org.json.JSONObject

/** A phone on which every step passes, unless a test changes a part of it. */
class FakePhone : CheckPlatform {
    override val device = mapOf("platform" to "android", "model" to "Test Phone", "operator" to "310-260")
    val usual = PhoneNetworks("wifi", hasVpn = false, status = "wifi_active", "rmnet0", hasIpv4 = true, hasIpv6 = true, dataSim = "1")
    var networks: (CheckStep?) -> PhoneNetworks = { usual }
    var outcome: (CheckStep?) -> Run = { verified() }
    var address: String? = "192.0.2.1"
    var operator: Set<String>? = setOf("198.51.100.7")
    var obstacle: String? = null
    var goesToBackground = true

    /** The step that runs. */
    var step: () -> CheckStep? = { null }

    fun verified(network: String? = "android_network") =
        Run(
            "verified",
            network,
            "correlator",
            900,
            300,
            listOf(RunHop("ipv4", 12, isOpenedAhead = true)),
            openedAhead = 2,
            trace = JSONObject(),
        )

    fun failed(outcome: String) = Run(outcome)

    override suspend fun networks() = networks(step())

    override suspend fun verify(onFirstResponse: suspend () -> Unit): Run = outcome(step()).also { onFirstResponse() }

    override suspend fun prepare() = obstacle

    override suspend fun open(host: String) = outcome(step())

    override suspend fun defaultAddress() = address

    override suspend fun operatorAddresses(correlator: String) = operator

    override suspend fun awaitForeground(isForeground: Boolean) = isForeground || goesToBackground

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
