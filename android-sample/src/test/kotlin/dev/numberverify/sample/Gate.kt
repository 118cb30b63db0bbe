package dev.numberverify.sample

import android.content.Intent
import dev.numberverify.testsupport.Simulator
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlin.concurrent.thread

/**
 * The intent with which a developer starts the app against this simulator over any network.
 * Verifications are never reported as slow, however slow the machine is.
 */
fun Simulator.intent(backend: String = backend("b")): Intent =
    Intent()
        .putExtra(Development.BACKEND, backend)
        .putExtra(Development.ANY_NETWORK, true)
        .putExtra(Development.ROOT_CERTIFICATE, root)
        .putExtra(Development.RESOLVE, hosts.toTypedArray())
        .putExtra(Development.SLOW_AFTER_MS, TimeUnit.DAYS.toMillis(1))

/** Holds back all data sent to this host until the gate is opened. Pass [Gate.on] to the app. */
fun Simulator.gate(host: String): Gate = Gate(host, httpsPort)

/**
 * A relay in front of a host of the simulator, on a separate address. The simulator sees the source
 * address.
 */
class Gate(
    private val host: String,
    private val port: Int,
    private val source: String = "127.0.0.1",
) : AutoCloseable {
    /**
     * A new address for each gate: the listener of an earlier one may still be open until its
     * thread has left `accept`.
     */
    val address = "127.0.0.${lastAddress.incrementAndGet()}"
    private val opened = CountDownLatch(1)
    private val server = ServerSocket(port, 50, InetAddress.getByName(address))
    private val sockets = CopyOnWriteArrayList<Socket>()

    init {
        thread(isDaemon = true) {
            generateSequence { runCatching(server::accept).getOrNull() }.forEach { client -> thread(isDaemon = true) { relay(client) } }
        }
    }

    /** The number of accepted connections. */
    val connections: Int get() = sockets.size

    fun open() = opened.countDown()

    /** Returns the same intent, with this host resolved to the gate. */
    fun on(intent: Intent): Intent {
        val resolve = intent.getStringArrayExtra(Development.RESOLVE).orEmpty()
        val changed = resolve.map { if (it.startsWith("$host:$port:")) "$host:$port:$address" else it }
        return Intent(intent).putExtra(Development.RESOLVE, changed.toTypedArray())
    }

    override fun close() {
        open()
        server.close()
        sockets.forEach(Socket::close)
    }

    private fun relay(client: Socket) {
        sockets += client
        opened.await()
        if (client.isClosed) return
        val upstream = Socket("127.0.0.1", port, InetAddress.getByName(source), 0)
        thread(isDaemon = true) { pump(upstream, client) }
        pump(client, upstream)
    }

    /** Copies until either side closes. */
    private fun pump(
        from: Socket,
        to: Socket,
    ) {
        runCatching { from.getInputStream().copyTo(to.getOutputStream()) }
        from.close()
        to.close()
    }

    private companion object {
        val lastAddress = AtomicInteger(1)
    }
}
