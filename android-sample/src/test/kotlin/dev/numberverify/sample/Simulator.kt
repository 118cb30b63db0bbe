package dev.numberverify.sample

import android.content.Intent
import org.json.JSONObject
import java.io.File
import java.net.InetAddress
import java.net.InetSocketAddress
import java.net.ServerSocket
import java.net.Socket
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.CountDownLatch
import kotlin.concurrent.thread

/** The simulator program, with operators, an auth server and a backend on loopback. Closing it ends it. */
class Simulator(
    vararg arguments: String,
) : AutoCloseable {
    private val root = File.createTempFile("number-verify", ".pem").apply { deleteOnExit() }
    private val process =
        ProcessBuilder(System.getProperty("simulator"), "--root-ca-out", root.path, *arguments)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start()
    private val ready = JSONObject(process.inputStream.bufferedReader().readLine())
    private val hosts = ready.getJSONArray("hosts").let { hosts -> List(hosts.length(), hosts::getString) }
    private val port = ready.getInt("https_port")

    /** The backend whose numbers are verified by this operator: `a` to `d`. */
    fun backend(operator: String = "b"): String = ready.getJSONObject("backends").getString(operator)

    /** The same on plain http, where loopback needs no certificate. */
    fun backendOnHttp(): String = "http://127.0.0.1:${ready.getInt("http_port")}/number-verify/b"

    /** What a developer starts the app with, to run it against this simulator over any network. */
    fun intent(backend: String = backend()): Intent =
        Intent()
            .putExtra(Development.BACKEND, backend)
            .putExtra(Development.ANY_NETWORK, true)
            .putExtra(Development.ROOT_CERTIFICATE, root.readText())
            .putExtra(Development.RESOLVE, hosts.toTypedArray())

    /** Holds back whatever is sent to this host, until it is opened. Give the app [Gate.on]. */
    fun gate(host: String): Gate = Gate(host, port)

    override fun close() {
        process.destroy()
        process.waitFor()
    }
}

/** A port that refuses connections: it is bound, so that no other process takes it, and nothing listens on it. */
class ClosedPort : AutoCloseable {
    private val socket = Socket().apply { bind(InetSocketAddress(InetAddress.getLoopbackAddress(), 0)) }

    val port: Int = socket.localPort

    override fun close() = socket.close()
}

/** A relay in front of a host of the simulator, on an address of its own. */
class Gate(
    private val host: String,
    private val port: Int,
) : AutoCloseable {
    private val opened = CountDownLatch(1)
    private val server = ServerSocket(port, 50, InetAddress.getByName(ADDRESS))
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
        val changed = resolve.map { if (it.startsWith("$host:$port:")) "$host:$port:$ADDRESS" else it }
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
        const val ADDRESS = "127.0.0.2"
    }
}
