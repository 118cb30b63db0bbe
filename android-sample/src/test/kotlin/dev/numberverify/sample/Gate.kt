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

/** What a developer starts the app with, to run it against this simulator over any network. However slow the machine is, no verification is. */
fun Simulator.intent(backend: String = backend("b")): Intent =
    Intent()
        .putExtra(Development.BACKEND, backend)
        .putExtra(Development.ANY_NETWORK, true)
        .putExtra(Development.ROOT_CERTIFICATE, root)
        .putExtra(Development.RESOLVE, hosts.toTypedArray())
        .putExtra(Development.SLOW_AFTER_MS, TimeUnit.DAYS.toMillis(1))

/** Holds back whatever is sent to this host, until it is opened. Give the app [Gate.on]. */
fun Simulator.gate(host: String): Gate = Gate(host, httpsPort)

/** A relay in front of a host of the simulator, on an address of its own. */
class Gate(
    private val host: String,
    private val port: Int,
) : AutoCloseable {
    /** Not that of the gate before, whose listener may still be open: its thread has to leave `accept` first. */
    private val address = "127.0.0.${lastAddress.incrementAndGet()}"
    private val opened = CountDownLatch(1)
    private val server = ServerSocket(port, 50, InetAddress.getByName(address))
    private val sockets = CopyOnWriteArrayList<Socket>()

    init {
        thread(isDaemon = true) {
            generateSequence { runCatching(server::accept).getOrNull() }.forEach { client -> thread(isDaemon = true) { relay(client) } }
        }
    }

    /** How many connections have come in. */
    val connections: Int get() = sockets.size

    fun open() = opened.countDown()

    /** The same intent, but for the way to this host. */
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
        val upstream = Socket("127.0.0.1", port)
        thread(isDaemon = true) { pump(upstream, client) }
        pump(client, upstream)
    }

    /** Until either side ends. */
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
