package dev.numberverify

import java.io.IOException
import java.net.DatagramPacket
import java.net.DatagramSocket
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.net.SocketException
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.atomic.AtomicInteger
import javax.net.ssl.SSLException
import kotlin.concurrent.thread

/**
 * A server on loopback with scripted raw responses: over TLS with an [identity], otherwise plain.
 */
class ScriptedServer(
    identity: Identity? = null,
    /**
     * The response to a request's path; an empty string closes the connection, `null` sends nothing
     * and keeps it open.
     */
    private val respond: (path: String) -> String?,
) : AutoCloseable {
    private val loopback = InetAddress.getLoopbackAddress()
    private val socket: ServerSocket =
        identity?.context()?.serverSocketFactory?.createServerSocket(0, 0, loopback) ?: ServerSocket(0, 0, loopback)
    private val connections = mutableSetOf<Socket>()

    val port: Int = socket.localPort

    /** The number of requests received. */
    val requests = AtomicInteger()

    /** The bodies of the requests to a path, in order. */
    fun bodiesOf(path: String): List<String> = received.filter { it.first == path }.map { it.second }

    private val received = CopyOnWriteArrayList<Pair<String, String>>()

    init {
        thread(isDaemon = true, name = "scripted server") { accept() }
    }

    private fun accept() {
        while (!socket.isClosed) {
            val connection =
                try {
                    socket.accept()
                } catch (_: SocketException) {
                    return
                }
            synchronized(connections) { connections += connection }
            thread(isDaemon = true, name = "scripted connection") { serve(connection) }
        }
    }

    /** A client that rejects the certificate or disconnects ends the exchange. */
    private fun serve(connection: Socket) {
        try {
            val reader = connection.getInputStream().bufferedReader(Charsets.ISO_8859_1)
            while (true) {
                val request = reader.readLine() ?: return
                val headers = generateSequence(reader::readLine).takeWhile(String::isNotEmpty).toList()
                val length =
                    headers
                        .firstNotNullOfOrNull { CONTENT_LENGTH.matchEntire(it) }
                        ?.groupValues
                        ?.get(1)
                        ?.toInt() ?: 0
                val body = String(CharArray(length) { reader.read().toChar() })
                val path = request.split(' ')[1]
                received += path to body
                requests.incrementAndGet()
                val bytes = respond(path)?.toByteArray(Charsets.ISO_8859_1) ?: return
                if (bytes.isEmpty()) return connection.close()
                connection.getOutputStream().apply { write(bytes) }.flush()
            }
        } catch (_: SSLException) {
            connection.close()
        } catch (_: IOException) {
            connection.close()
        }
    }

    override fun close() {
        socket.close()
        synchronized(connections) { connections.forEach(Socket::close) }
    }

    companion object {
        private val CONTENT_LENGTH = Regex("content-length: *([0-9]+)", RegexOption.IGNORE_CASE)

        fun redirect(location: String): String = "HTTP/1.1 302 Found\r\nLocation: $location\r\nContent-Length: 0\r\n\r\n"

        fun status(
            status: Int,
            body: String = "",
            type: String = "text/html",
        ): String = "HTTP/1.1 $status X\r\nContent-Type: $type\r\nContent-Length: ${body.length}\r\n\r\n$body"
    }
}

/** A DNS server that returns NXDOMAIN for every name. */
class NxDomainServer : AutoCloseable {
    private val socket = DatagramSocket(0, InetAddress.getLoopbackAddress())

    val address: String = "127.0.0.1:${socket.localPort}"

    init {
        thread(isDaemon = true, name = "DNS server") {
            val packet = DatagramPacket(ByteArray(1500), 1500)
            try {
                while (true) {
                    packet.length = 1500
                    socket.receive(packet)
                    // RFC 1035, section 4.1.1: returns the query as a response with the code
                    // NXDOMAIN.
                    packet.data[2] = 0x81.toByte()
                    packet.data[3] = 0x83.toByte()
                    socket.send(packet)
                }
            } catch (_: SocketException) {
                return@thread
            }
        }
    }

    override fun close() = socket.close()
}

/**
 * A server that responds to a ClientHello with an alert (RFC 8446, section 6): handshake_failure.
 */
class AlertingServer : AutoCloseable {
    private val socket = ServerSocket(0, 0, InetAddress.getLoopbackAddress())

    val port: Int = socket.localPort

    init {
        thread(isDaemon = true, name = "alerting server") {
            try {
                while (true) {
                    socket.accept().use {
                        it.getInputStream().read(ByteArray(1500))
                        it.getOutputStream().write(byteArrayOf(0x15, 3, 3, 0, 2, 2, 40))
                    }
                }
            } catch (_: SocketException) {
                return@thread
            }
        }
    }

    override fun close() = socket.close()
}
