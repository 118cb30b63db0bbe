package dev.numberverify.sample.check

/** What the check does on a phone; a test replaces it. No function throws, except on cancellation. */
interface CheckPlatform {
    /** Model, system, operator (MCC-MNC) and app version, by name, for the report. */
    val device: Map<String, String>

    suspend fun networks(): PhoneNetworks

    /**
     * A verification of the library. [whileHeld] runs concurrently once cellular is acquired, and is
     * cancelled when the verification ends.
     */
    suspend fun verify(whileHeld: suspend () -> Unit = {}): Run

    /** The library's `prepare()`. Returns `null`, or the error as [Run.outcome]. */
    suspend fun prepare(): String?

    /** A verification whose auth URL is `https://HOST/`: the library resolves a public name. */
    suspend fun open(host: String): Run

    /**
     * The source address of a request of the platform's HTTP client over the default network, as
     * the server received it; `null` without a server or without a response.
     */
    suspend fun defaultAddress(): String?

    /**
     * The source addresses of a verification's requests, as the simulator received them, which
     * returns them once; empty if it received none; `null` without a simulator or without a response.
     */
    suspend fun libraryAddresses(correlator: String): LibraryAddresses?

    /** Waits until the app is in the foreground, or not. Returns `false` after a minute. */
    suspend fun awaitForeground(isForeground: Boolean): Boolean
}
