package dev.numberverify.sample.check

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import org.json.JSONException
import org.json.JSONObject
import java.io.IOException
import java.net.HttpURLConnection
import java.net.URL

/**
 * Requests from servers the source addresses of requests, over the default network and with the
 * platform's HTTP client.
 */
class AddressClient(
    /** Returns the address of the request: as text, or as JSON in `address` or `ip`. */
    private val echo: String?,
    /** The simulator's, which also returns those of a verification. */
    private val observed: String?,
) {
    suspend fun defaultAddress(): String? {
        val (status, text) = get(echo ?: return null) ?: return null
        if (status != HttpURLConnection.HTTP_OK) return null
        val json = json(text)
        val address = json?.optString("address")?.ifEmpty { json.optString("ip") } ?: text.trim()
        return address.takeIf { networkOf(it) != null }
    }

    suspend fun libraryAddresses(correlator: String): LibraryAddresses? {
        val (status, text) = get("${observed ?: return null}/$correlator") ?: return null
        // The simulator received no request of this verification.
        if (status == HttpURLConnection.HTTP_NOT_FOUND) return LibraryAddresses()
        val json = json(text).takeIf { status == HttpURLConnection.HTTP_OK } ?: return null
        return LibraryAddresses(json.addresses("backend") ?: return null, json.addresses("operator") ?: return null)
    }

    private fun JSONObject.addresses(name: String): Set<String>? = optJSONArray(name)?.let { List(it.length(), it::getString).toSet() }

    /** Status and body; `null` without a response: the step is then not passed. */
    private suspend fun get(url: String): Pair<Int, String>? =
        withContext(Dispatchers.IO) {
            try {
                val connection = URL(url).openConnection() as? HttpURLConnection ?: return@withContext null
                connection.connectTimeout = TIMEOUT_MS
                connection.readTimeout = TIMEOUT_MS
                connection.useCaches = false
                // A pooled connection would keep its address if the default network changed.
                connection.setRequestProperty("Connection", "close")
                try {
                    val status = connection.responseCode
                    val body = if (status == HttpURLConnection.HTTP_OK) connection.inputStream.bufferedReader().readText() else ""
                    status to body
                } finally {
                    connection.disconnect()
                }
            } catch (_: IOException) {
                null
            }
        }

    private fun json(text: String): JSONObject? =
        try {
            JSONObject(text)
        } catch (_: JSONException) {
            null
        }

    private companion object {
        const val TIMEOUT_MS = 5_000
    }
}
