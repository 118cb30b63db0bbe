package dev.numberverify.testsupport

import java.net.InetAddress
import java.net.InetSocketAddress
import java.net.Socket

/**
 * A port that refuses connections: bound, so that no other process takes it, but without a
 * listener.
 */
class ClosedPort : AutoCloseable {
    private val socket = Socket().apply { bind(InetSocketAddress(InetAddress.getLoopbackAddress(), 0)) }

    val port: Int = socket.localPort

    override fun close() = socket.close()
}
