package dev.numberverify.sample.check

/** What the check does on a phone; a test replaces it. No function throws, except on cancellation. */
interface CheckPlatform {
    /** Model, system, operator (MCC-MNC) and app version, by name, for the report. */
    val device: Map<String, String>

    suspend fun networks(): PhoneNetworks

    /** A verification of the library. [onFirstResponse] runs while cellular is held. */
    suspend fun verify(onFirstResponse: suspend () -> Unit = {}): Run

    /** The library's `prepare()`. Returns `null`, or the error as [Run.outcome]. */
    suspend fun prepare(): String?

    /** A verification whose auth URL is `https://HOST/`: the library resolves a public name. */
    suspend fun open(host: String): Run

    /**
     * The source address of a request of the platform's HTTP client over the default network, as
     * the server has seen it; `null` without a server or without a response.
     */
    suspend fun defaultAddress(): String?

    /**
     * The source addresses of a verification's requests to the operator's side, as the simulator
     * has seen them; `null` without a simulator.
     */
    suspend fun operatorAddresses(correlator: String): Set<String>?

    /** Waits until the app is in the foreground, or not. Returns `false` after a minute. */
    suspend fun awaitForeground(isForeground: Boolean): Boolean
}
