package dev.numberverify.sample.check

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import org.json.JSONException
import org.json.JSONObject
import java.io.IOException
import java.net.HttpURLConnection
import java.net.URL

/**
 * Asks servers over the default network, with the platform's HTTP client, for the source addresses
 * that they see.
 */
class AddressClient(
    /** Returns the address of the request: as text, or as JSON in `address` or `ip`. */
    private val echo: String?,
    /** The simulator's, which also returns those of a verification. */
    private val observed: String?,
) {
    suspend fun defaultAddress(): String? {
        val text = get(echo ?: return null) ?: return null
        val json = json(text)
        val address = json?.optString("address")?.ifEmpty { json.optString("ip") } ?: text.trim()
        return address.takeIf { networkOf(it) != null }
    }

    suspend fun operatorAddresses(correlator: String): Set<String>? {
        val addresses = json(get("${observed ?: return null}/$correlator") ?: return null)?.optJSONArray("operator") ?: return null
        return List(addresses.length(), addresses::getString).toSet()
    }

    /** `null` for every failure: the step is then not passed. */
    private suspend fun get(url: String): String? =
        withContext(Dispatchers.IO) {
            try {
                val connection = URL(url).openConnection() as? HttpURLConnection ?: return@withContext null
                connection.connectTimeout = TIMEOUT_MS
                connection.readTimeout = TIMEOUT_MS
                connection.useCaches = false
                // A pooled connection would keep its address if the default network changed.
                connection.setRequestProperty("Connection", "close")
                try {
                    if (connection.responseCode == HttpURLConnection.HTTP_OK) connection.inputStream.bufferedReader().readText() else null
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
