package dev.numberverify.sample

import com.sun.net.httpserver.HttpServer
import dev.numberverify.testsupport.Simulator
import java.net.InetAddress
import java.net.InetSocketAddress

/**
 * A backend that supports retrieval with the simulator's operator B, on plain http: loopback needs
 * no certificate.
 */
class RetrievalBackend(
    simulator: Simulator,
) : AutoCloseable {
    private val server = HttpServer.create(InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0)

    /** The status and the fallback of its error response; `null` if it succeeds. */
    @Volatile
    var problem: Pair<Int, String>? = null

    val url: String = "http://127.0.0.1:${server.address.port}"

    init {
        respond("/start") { """{"authUrl":"${simulator.authUrl(operator = "b")}"}""" }
        respond("/complete") { """{"phoneNumber":"${Cellular.NUMBER}"}""" }
        server.start()
    }

    private fun respond(
        path: String,
        json: () -> String,
    ) = server.createContext(path) { exchange ->
        exchange.use {
            it.requestBody.readBytes()
            val (status, fallback) = problem ?: (200 to null)
            val body = (if (fallback == null) json() else """{"fallback":"$fallback"}""").toByteArray()
            it.responseHeaders["Content-Type"] = if (fallback == null) "application/json" else "application/problem+json"
            it.sendResponseHeaders(status, body.size.toLong())
            it.responseBody.write(body)
        }
    }

    override fun close() = server.stop(0)
}
