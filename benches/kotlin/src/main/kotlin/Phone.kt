import dev.numberverify.CellularProvider
import dev.numberverify.CellularStatus
import dev.numberverify.NetworkBinding
import dev.numberverify.NetworkEvents
import dev.numberverify.NumberVerifier
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.runBlocking
import java.io.File
import kotlin.system.measureNanoTime

/**
 * The process that acts as a Kotlin app with this library. For each line `repeat N`, it runs N
 * verifications sequentially and reports their total time in microseconds as JSON. Arguments:
 * backend, root certificates, interface, DNS server, resolved host, number.
 */
fun main(arguments: Array<String>) {
    val (backend, rootCertificates, networkInterface, dnsServer, host) = arguments
    val number = arguments[5]
    val modem = Modem(networkInterface)
    val verifier by lazy {
        NumberVerifier(modem, backend) {
            development.rootCertificates = listOf(File(rootCertificates).readText())
            development.dnsServers = listOf(dnsServer)
            development.resolve = listOf(host)
        }
    }
    generateSequence(::readLine).forEach { line ->
        val report =
            runCatching { runBlocking { (1..line.removePrefix("repeat ").toInt()).sumOf { verify(verifier, modem, number) } } }
                .fold({ """{"total_us": ${it / 1000}}""" }, { """{"error": "${it.toString().filter(Char::isLetterOrDigit)}"}""" })
        println(report)
    }
}

/**
 * Returns the duration in nanoseconds, excluding the release of the network, for which it waits.
 */
private suspend fun verify(
    verifier: NumberVerifier,
    modem: Modem,
    number: String,
): Long {
    modem.released = CompletableDeferred()
    val durationNs = measureNanoTime { check(verifier.verify(number).verified) { "not verified" } }
    modem.released.await()
    return durationNs
}

/** A network that is always available, bound to an interface. */
private class Modem(
    private val networkInterface: String,
) : CellularProvider {
    @Volatile
    var released = CompletableDeferred<Unit>()

    override suspend fun acquire(events: NetworkEvents): NetworkBinding {
        events.operatedBy("00101") // A test network, reported as Android's provider does.
        return NetworkBinding.LinuxInterface(networkInterface)
    }

    override suspend fun release() {
        released.complete(Unit)
    }

    override suspend fun status(): CellularStatus = CellularStatus.Ready
}
