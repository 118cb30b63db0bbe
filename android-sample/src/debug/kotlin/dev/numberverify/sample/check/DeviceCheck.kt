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
                    !isAttended && !step.isUsualState -> Judgement.skipped("Nobody was there to follow the instruction.")
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
            CheckStep.DNS ->
                if (dnsHost == null) Judgement.notRun("No host name was given.") else Judgement.dns(recorded(step, platform.open(dnsHost)))
            CheckStep.MEMORY -> Judgement.memory(verified(step))
            CheckStep.PREPARE -> prepare(step)
            CheckStep.FAMILIES -> Judgement.families(platform.networks(), runs.lastOrNull { it.second.isBound }?.second)
            CheckStep.BACKGROUND -> background(step)
            CheckStep.VPN -> measured(step).let { Judgement.vpn(platform.networks(), it, addresses) }
            CheckStep.DATA_OFF, CheckStep.AIRPLANE -> Judgement.run(step, verified(step))
            CheckStep.OTHER_SIM -> measured(step).let { Judgement.otherSim(usualSim, platform.networks().dataSim, it, addresses) }
            CheckStep.LAST -> Judgement.verified(step, measured(step), addresses)
        }

    private suspend fun networks() = platform.networks().also { usualSim = it.dataSim }

    private suspend fun verified(step: CheckStep): Run = recorded(step, platform.verify())

    /** A verification, with the addresses that servers have seen. */
    private suspend fun measured(step: CheckStep): Run {
        val before = platform.defaultAddress()
        var during: String? = null
        val run = recorded(step, platform.verify { during = platform.defaultAddress() })
        val operator = platform.operatorAddresses(run.correlator)
        addresses = Addresses(before, during, platform.defaultAddress(), operator)
        return run
    }

    private suspend fun prepare(step: CheckStep): CheckResult {
        val began = System.nanoTime()
        val obstacle = platform.prepare()
        return Judgement.prepare(obstacle, (System.nanoTime() - began) / NANOS_IN_MS, verified(step))
    }

    private suspend fun background(step: CheckStep): CheckResult {
        val began = if (platform.awaitForeground(false)) verified(step) else null
        platform.awaitForeground(true)
        return Judgement.background(began, verified(step))
    }

    private fun recorded(
        step: CheckStep,
        run: Run,
    ): Run = run.also { runs += step to it }

    private companion object {
        const val NANOS_IN_MS = 1_000_000
    }
}
