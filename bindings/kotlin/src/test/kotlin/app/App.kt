package app

import dev.numberverify.CellularProvider
import dev.numberverify.CellularStatus
import dev.numberverify.NetworkBinding
import dev.numberverify.NetworkEvents
import dev.numberverify.NumberVerifier
import dev.numberverify.Progress
import dev.numberverify.VerifyException
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import java.io.File

/**
 * A small app that uses the library like a real app, for [dev.numberverify.ShrunkTest]. Prints the
 * results.
 */
fun main(arguments: Array<String>) {
    val (backend, rootFile) = arguments
    val verifier =
        NumberVerifier(AnyNetwork, backend) {
            development.anyNetwork = true
            development.rootCertificates += File(rootFile).readText()
            development.resolve += arguments.drop(2)
        }
    verifier.use { runBlocking { it.show() } }
}

private suspend fun NumberVerifier.show() {
    println("ready: ${check() is CellularStatus.Ready}")
    val progress = verifying("+14155550100").toList()
    println("steps: ${progress.filterIsInstance<Progress.StepEnded>().map(Progress.StepEnded::step).sorted()}")
    println("verified: ${progress.filterIsInstance<Progress.Done>().single().verification.verified}")
    try {
        verify("12")
    } catch (failure: VerifyException) {
        println("fallback: ${failure.fallback}")
    }
}

private object AnyNetwork : CellularProvider {
    override suspend fun acquire(events: NetworkEvents): NetworkBinding = NetworkBinding.Unbound

    override suspend fun release() = Unit

    override suspend fun status(): CellularStatus = CellularStatus.Ready
}
