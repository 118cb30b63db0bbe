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
 * The process that stands for a Kotlin app with this library. For each line `repeat N` it runs N verifications, one after the other, and
 * reports in JSON how many microseconds they took in all. The arguments: backend, root certificates, interface, name server, resolved host, number.
 */
fun main(arguments: Array<String>) {
    val (backend, rootCertificates, networkInterface, nameServer, host) = arguments
    val number = arguments[5]
    val modem = Modem(networkInterface)
    val verifier by lazy {
        NumberVerifier(modem, backend) {
            development.rootCertificates = listOf(File(rootCertificates).readText())
            development.dnsServers = listOf(nameServer)
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

/** Nanoseconds, without the release of the network, which it awaits. */
private suspend fun verify(
    verifier: NumberVerifier,
    modem: Modem,
    number: String,
): Long {
    modem.released = CompletableDeferred()
    val took = measureNanoTime { check(verifier.verify(number).verified) { "not verified" } }
    modem.released.await()
    return took
}

/** A network that is always there, over the bound interface. */
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
