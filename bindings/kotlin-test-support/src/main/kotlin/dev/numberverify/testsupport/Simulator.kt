package dev.numberverify.testsupport

import org.json.JSONArray
import org.json.JSONObject

/**
 * The simulator program: operators, an auth server and a backend on loopback. All loopback
 * addresses belong to the SIM [NUMBER].
 */
class Simulator(
    vararg flags: String,
) : AutoCloseable {
    private val process =
        ProcessBuilder(System.getProperty("simulator"), "--json", *flags)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start()

    /** The program's ready message. */
    private val ready = JSONObject(process.inputStream.bufferedReader().readLine() ?: error("the simulator did not start"))

    /** The root certificate of all its servers, in PEM form. */
    val root: String = ready.getString("root_ca_pem")

    val httpsPort: Int = ready.getInt("https_port")

    /** The URL that returns the source addresses of requests. */
    val observed: String = ready.getString("observed")

    /** The addresses of its hosts, in the format of `NumberVerifierConfig.Development.resolve`. */
    val hosts: List<String> = ready.getJSONArray("hosts").map(JSONArray::getString)

    /** Returns the URL of the backend for this operator: `a` to `d`. */
    fun backend(operator: String = "a"): String = ready.getJSONObject("backends").getString(operator)

    /** Returns the same backend on plain http, for which loopback needs no certificate. */
    fun backendOnHttp(operator: String): String = "http://127.0.0.1:${ready.getInt("http_port")}/number-verify/$operator"

    /**
     * All provider and operator behaviours that it implements: `name`, `backend`, `delivery`, and
     * the `outcomes` by number.
     */
    val scenarios: List<JSONObject> = ready.getJSONArray("scenarios").map(JSONArray::getJSONObject)

    /** Returns a URL of the simulator's auth server, for a custom backend. */
    fun authUrl(
        redirectUri: String = "myapp%3A%2F%2Fdone",
        state: String = "state",
        operator: String = "a",
    ): String =
        "https://auth.simulator.test:$httpsPort/oauth2/auth?client_id=SIMULATOR&response_type=code&operator=$operator" +
            "&state=$state&redirect_uri=$redirectUri"

    override fun close() {
        process.destroy()
        process.waitFor()
    }

    private fun <T> JSONArray.map(element: JSONArray.(Int) -> T): List<T> = List(length()) { element(it) }

    companion object {
        const val NUMBER = "+14155550100"
        const val OTHER_NUMBER = "+14155550199"
    }
}
