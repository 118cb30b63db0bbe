package dev.numberverify.sample.check

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update

/** Runs the steps in order, and collects the evidence for [Judgement]. Main thread only. */
class DeviceCheck(
    private val platform: CheckPlatform,
    /** Whether there is a person to follow the instructions. */
    private val isAttended: Boolean,
    /** A host name in public DNS. */
    private val dnsHost: String?,
) {
    private val states = MutableStateFlow(CheckState())
    private val runs = mutableListOf<Pair<CheckStep, Run>>()
    private var answer = CompletableDeferred<Boolean>()
    private var addresses = Addresses()

    /** The run of [addresses], and the networks while it held cellular. */
    private var measured: Run? = null
    private var held: PhoneNetworks? = null
    private var usualSim: String? = null

    val state: StateFlow<CheckState> = states.asStateFlow()

    val report: CheckReport get() = CheckReport(platform.device, state.value, runs.toList())

    suspend fun run() {
        for (step in CheckStep.entries) {
            answer = CompletableDeferred()
            states.update { it.began(step, isAttended) }
            val result =
                when {
                    step.instruction == null -> evidence(step)
                    !isAttended && !step.isUsualState -> Judgement.skipped("Skipped: it requires a person.")
                    isAttended && !answer.await() -> Judgement.skipped("The person skipped it.")
                    else -> evidence(step)
                }
            states.update { it.ended(step, result) }
        }
    }

    /** The person has followed the instruction, or skips the step. */
    fun answer(isDone: Boolean) {
        if (!state.value.isWaiting) return
        states.update { it.continued() }
        answer.complete(isDone)
    }

    private suspend fun evidence(step: CheckStep): CheckResult =
        when (step) {
            CheckStep.CONDITIONS -> Judgement.conditions(networks())
            CheckStep.FIRST -> Judgement.run(step, measured(step))
            CheckStep.ADDRESSES -> Judgement.addresses(addresses)
            CheckStep.OTHER_TRAFFIC -> Judgement.otherTraffic(addresses)
            CheckStep.DNS -> if (dnsHost == null) Judgement.notRun("No host name was given.") else Judgement.dns(platform.open(dnsHost))
            CheckStep.MEMORY -> Judgement.memory(verified(step))
            CheckStep.PREPARE -> prepare(step)
            CheckStep.FAMILIES -> Judgement.families(held, measured)
            CheckStep.BACKGROUND -> background(step)
            CheckStep.VPN -> measured(step).let { Judgement.vpn(platform.networks(), it, addresses) }
            CheckStep.DATA_OFF, CheckStep.AIRPLANE -> Judgement.run(step, verified(step))
            CheckStep.OTHER_SIM -> measured(step).let { Judgement.otherSim(usualSim, platform.networks().dataSim, it, addresses) }
            CheckStep.LAST -> Judgement.verified(step, measured(step), addresses)
        }

    private suspend fun networks() = platform.networks().also { usualSim = it.dataSim }

    private suspend fun verified(step: CheckStep): Run = recorded(step, platform.verify())

    /** A verification, with the source addresses that servers received. */
    private suspend fun measured(step: CheckStep): Run {
        val before = platform.defaultAddress()
        var during: String? = null
        held = null
        val run =
            platform.verify {
                held = platform.networks()
                during = platform.defaultAddress()
            }
        measured = run
        val library = platform.libraryAddresses(run.correlator)
        addresses = Addresses(before, during, platform.defaultAddress(), library)
        return recorded(step, run)
    }

    private suspend fun prepare(step: CheckStep): CheckResult {
        val began = System.nanoTime()
        val obstacle = platform.prepare()
        return Judgement.prepare(obstacle, (System.nanoTime() - began) / NANOS_IN_MS, verified(step))
    }

    private suspend fun background(step: CheckStep): CheckResult {
        val began = if (platform.awaitForeground(false)) verified(step) else return Judgement.background(null, null)
        return Judgement.background(began, if (platform.awaitForeground(true)) verified(step) else null)
    }

    private fun recorded(
        step: CheckStep,
        run: Run,
    ): Run = run.also { runs += step to it }

    private companion object {
        const val NANOS_IN_MS = 1_000_000
    }
}
