package dev.numberverify.sample.check

/**
 * From evidence to the result of a step: pure. Missing evidence is [Outcome.NOT_RUN] if it could
 * not be collected, and [Outcome.FAILED] if it should exist.
 */
object Judgement {
    fun conditions(networks: PhoneNetworks): CheckResult =
        when {
            networks.hasVpn -> failed("A VPN is active.", networks.facts)
            networks.default != "wifi" -> failed("The default network is not Wi-Fi: ${networks.default}.", networks.facts)
            networks.status != "wifi_active" -> failed("check() returned ${networks.status}.", networks.facts)
            else -> passed("Wi-Fi is the default network; check() returned wifi_active.", networks.facts)
        }

    /** A verification with an outcome that passes; if there is a result, over cellular. */
    fun run(
        step: CheckStep,
        run: Run,
    ): CheckResult =
        when {
            run.outcome !in step.outcomes ->
                failed("The outcome is ${run.outcome}; expected: ${step.outcomes.joinToString(" or ")}.", run.facts)
            run.outcome == "verified" && !run.isBound ->
                failed("The sockets were not bound to a cellular network (${run.network ?: "no network"}).", run.facts)
            else -> passed("The outcome is ${run.outcome}, after ${run.totalMs} ms.", run.facts)
        }

    fun addresses(addresses: Addresses): CheckResult {
        val operator = addresses.operator ?: return notRun(NO_OBSERVER)
        if (addresses.default.any { it == null }) return notRun(NO_ADDRESS)
        if (operator.isEmpty()) return failed("The server saw no request to the operator’s side.")
        val default = addresses.default.map { networkOf(it.orEmpty()) }
        val seen = operator.map(::networkOf)
        if (null in default || null in seen) return failed("A server did not return an IP address.")
        val facts =
            facts(
                "default_family" to
                    default
                        .filterNotNull()
                        .map(::familyOf)
                        .distinct()
                        .joinToString(),
                "cellular_family" to
                    seen
                        .filterNotNull()
                        .map(::familyOf)
                        .distinct()
                        .joinToString(),
            )
        return when {
            // With several addresses on Wi-Fi, another one is no evidence of another network.
            default.distinct().size != 1 -> failed("The default network has no constant address to compare with.", facts)
            seen.any { it in default } -> failed("A request to the operator’s side came from the default network’s address.", facts)
            seen.any { familyOf(it.orEmpty()) != familyOf(default.first().orEmpty()) } ->
                failed("The addresses have different families, so they cannot be compared.", facts)
            else -> passed("All requests to the operator’s side came from another address.", facts + ("differs" to "yes"))
        }
    }

    fun otherTraffic(addresses: Addresses): CheckResult {
        if (addresses.default.any { it == null }) return notRun(NO_ADDRESS)
        val networks = addresses.default.map { networkOf(it.orEmpty()) }
        return when {
            null in networks -> failed("The server did not return an IP address.")
            networks.distinct().size == 1 ->
                passed(
                    "The address did not change.",
                    facts("default_family" to familyOf(networks[0].orEmpty())),
                )
            else -> failed("The default network’s address changed.")
        }
    }

    /** Whatever the host responds: only the lookup and the connection matter. */
    fun dns(run: Run): CheckResult {
        val hop = run.hops.firstOrNull()
        val facts = run.facts + facts("dns_ms" to hop?.dnsMs)
        return when {
            hop?.dnsMs == null || hop.family == null -> failed("No name was resolved and connected to: ${run.outcome}.", facts)
            !run.isBound -> failed("The sockets were not bound to a cellular network (${run.network ?: "no network"}).", facts)
            else -> passed("Resolved in ${hop.dnsMs} ms, connected over ${hop.family}.", facts)
        }
    }

    fun memory(run: Run): CheckResult =
        run(CheckStep.MEMORY, run).ifPassed {
            if (run.openedAhead > 0) it else failed("No connection was opened ahead.", run.facts)
        }

    /** [obstacle]: the error of `prepare()`. */
    fun prepare(
        obstacle: String?,
        prepareMs: Long,
        run: Run,
    ): CheckResult {
        val facts = run.facts + facts("prepare_ms" to prepareMs)
        if (obstacle != null) return failed("prepare() failed: $obstacle.", facts)
        return run(CheckStep.PREPARE, run).ifPassed {
            if (run.hops.any(RunHop::isOpenedAhead)) it.copy(facts = facts) else failed("No request used a connection opened ahead.", facts)
        }
    }

    fun families(
        networks: PhoneNetworks,
        run: Run?,
    ): CheckResult {
        val facts = networks.facts + facts("used" to run?.families?.joinToString())
        return when {
            run == null || run.families.isEmpty() -> notRun("No request was connected.", facts)
            !run.isBound -> failed("The sockets were not bound to a cellular network.", facts)
            networks.hasIpv4 != true && networks.hasIpv6 != true -> failed("The platform reports no address family.", facts)
            else -> passed("Used: ${run.families.joinToString()}.", facts)
        }
    }

    /** A number may be verified with a VPN on, but not over it. */
    fun vpn(
        networks: PhoneNetworks,
        run: Run,
        addresses: Addresses,
    ): CheckResult =
        when {
            !networks.hasVpn -> failed("No VPN is active.", networks.facts)
            run.outcome == "verified" -> verified(CheckStep.VPN, run, addresses)
            else -> run(CheckStep.VPN, run)
        }

    fun background(
        began: Run?,
        after: Run,
    ): CheckResult {
        if (began == null) return failed("The app stayed in the foreground.")
        val facts = after.facts + facts("in_background" to began.outcome, "in_background_ms" to began.totalMs)
        return run(CheckStep.BACKGROUND, after).copy(facts = facts)
    }

    fun otherSim(
        before: String?,
        after: String?,
        run: Run,
        addresses: Addresses,
    ): CheckResult =
        when {
            before == null || after == null -> notRun("The platform does not report the SIM for mobile data.", run.facts)
            before == after -> failed("The same SIM is set for mobile data.", run.facts)
            else -> verified(CheckStep.OTHER_SIM, run, addresses)
        }

    /** Verified, and from another address than the default network's. */
    fun verified(
        step: CheckStep,
        run: Run,
        addresses: Addresses,
    ): CheckResult = run(step, run).ifPassed { addresses(addresses).run { copy(facts = it.facts + facts) } }

    fun skipped(reason: String) = CheckResult(Outcome.SKIPPED, reason)

    fun notRun(
        reason: String,
        facts: Map<String, String> = emptyMap(),
    ) = CheckResult(Outcome.NOT_RUN, reason, facts)

    private fun passed(
        reason: String,
        facts: Map<String, String>,
    ) = CheckResult(Outcome.PASSED, reason, facts)

    private fun failed(
        reason: String,
        facts: Map<String, String> = emptyMap(),
    ) = CheckResult(Outcome.FAILED, reason, facts)

    private fun CheckResult.ifPassed(next: (CheckResult) -> CheckResult) = if (outcome == Outcome.PASSED) next(this) else this

    private const val NO_OBSERVER =
        "The server does not report the addresses of the library’s requests: start the app with the simulator’s settings."
    private const val NO_ADDRESS = "The address of the default network is unknown: no URL returned it."
}
