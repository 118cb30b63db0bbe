package dev.numberverify.sample.check

/**
 * A step of the device check, in order. The iOS sample has the same list, and docs/device-testing.md
 * a table of it; scripts/test-device-check compares them. English only: it is for
 * developers.
 */
enum class CheckStep(
    /** The name in the report. */
    val id: String,
    val title: String,
    /** The evidence without which the step is not passed. */
    val expectation: String,
    /** The outcomes of the verification that pass; empty if the evidence is another one. */
    val outcomes: Set<String> = emptySet(),
    /** What the person does before the step; `null` if there is nothing to do. */
    val instruction: String? = null,
    /** Whether the phone is expected to be in this state without a person. */
    val isUsualState: Boolean = false,
) {
    CONDITIONS(
        "conditions",
        "Wi-Fi and mobile data",
        "The default network is Wi-Fi without a VPN, and check() returns WifiActive.",
        instruction = "Turn on Wi-Fi and mobile data. Turn off airplane mode and any VPN.",
        isUsualState = true,
    ),
    FIRST(
        "first",
        "First verification",
        "It returns “verified”, and its sockets were bound to the cellular network.",
        setOf("verified"),
    ),
    ADDRESSES(
        "addresses",
        "Cellular is not Wi-Fi",
        "The operator’s side received the library’s connections from another address than the default network’s, in the same address family.",
    ),
    OTHER_TRAFFIC(
        "other_traffic",
        "Other traffic stays on Wi-Fi",
        "The default network’s address is the same before, during and after the verification, and the library’s requests to the backend came from it.",
    ),
    DNS(
        "dns",
        "A public host name",
        "A verification resolved a public host name and connected to it, and its sockets were bound to the cellular network.",
    ),
    MEMORY(
        "memory",
        "Second verification",
        "It returns “verified”, and a request used a connection that it had opened ahead.",
        setOf("verified"),
    ),
    PREPARE(
        "prepare",
        "prepare(), then a third verification",
        "It returns “verified”, and a request used a connection that prepare() had opened.",
        setOf("verified"),
    ),
    FAMILIES(
        "families",
        "IPv4, IPv6 and NAT64",
        "While it is held, the cellular network reports the address families that requests used; IPv4 may be 464XLAT.",
    ),
    BACKGROUND(
        "background",
        "In the background",
        "A verification that began in the background ended without an internal error, and one after the return is “verified”.",
        setOf("verified"),
        instruction = "Press Continue, then lock the phone within 30 seconds. Unlock it after 20 seconds and return to this app.",
    ),
    VPN(
        "vpn",
        "VPN on",
        "A VPN is active, and the verification fails with cause vpn or is “verified” from another address than the VPN’s.",
        setOf("verified", "cellular_unavailable/vpn"),
        instruction = "Connect a VPN that captures all traffic of this app.",
    ),
    DATA_OFF(
        "data_off",
        "Mobile data off",
        "The verification fails with the cause of mobile data that is off.",
        setOf("cellular_unavailable/data_off"),
        instruction = "Disconnect the VPN. Turn off mobile data. Leave Wi-Fi on.",
    ),
    AIRPLANE(
        "airplane",
        "Airplane mode",
        "The verification fails with the cause of airplane mode.",
        setOf("cellular_unavailable/airplane"),
        instruction = "Turn on mobile data. Turn on airplane mode, then Wi-Fi.",
    ),
    OTHER_SIM(
        "other_sim",
        "Second SIM",
        "Another SIM is set for mobile data than before, and the verification is “verified” from another address than the default network’s.",
        setOf("verified"),
        instruction = "Turn off airplane mode. Set the other SIM for mobile data. Skip this step with one SIM.",
    ),
    LAST(
        "last",
        "Last verification",
        "It returns “verified” from another address than the default network’s, after all changes.",
        setOf("verified"),
        instruction = "Restore the usual state: Wi-Fi and mobile data on, airplane mode and VPN off, the usual SIM for mobile data.",
        isUsualState = true,
    ),
}
