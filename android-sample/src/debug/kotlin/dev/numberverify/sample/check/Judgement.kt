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
        val operator = addresses.library?.operator ?: return notRun(NO_OBSERVER)
        if (addresses.default.any { it == null }) return notRun(NO_ADDRESS)
        if (operator.isEmpty()) return failed("The server received no request to the operator’s side.")
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
        val backend = addresses.library?.backend ?: return notRun(NO_OBSERVER)
        if (addresses.default.any { it == null }) return notRun(NO_ADDRESS)
        val networks = addresses.default.map { networkOf(it.orEmpty()) }
        val default = networks.first() ?: return failed("The server did not return an IP address.")
        val ofBackend = backend.map { networkOf(it).orEmpty() }
        val facts = facts("default_family" to familyOf(default))
        return when {
            networks.distinct().size != 1 -> failed("The default network’s address changed.", facts)
            default !in ofBackend -> failed("No request to the backend came from the default network’s address.", facts)
            ofBackend.any { it != default && familyOf(it) == familyOf(default) } ->
                failed("A request to the backend came from another address than the default network’s.", facts)
            else -> passed("The address did not change, and the requests to the backend came from it.", facts)
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
            val isUsed = run.hops.any { hop -> hop.isOpenedAhead && hop.host in run.openedAhead }
            if (isUsed) it else failed("No request used a connection that it had opened ahead.", run.facts)
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
            // The verification does not open a connection to a host to which prepare() has opened one.
            val isUsed = run.hops.any { hop -> hop.isOpenedAhead && hop.host !in run.openedAhead }
            if (isUsed) it.copy(facts = facts) else failed("No request used a connection that prepare() had opened.", facts)
        }
    }

    /** [held]: the networks while [run] held cellular. */
    fun families(
        held: PhoneNetworks?,
        run: Run?,
    ): CheckResult {
        val facts = held?.facts.orEmpty() + facts("used" to run?.families?.joinToString())
        return when {
            run == null || run.families.isEmpty() -> notRun("No request was connected.", facts)
            !run.isBound -> failed("The sockets were not bound to a cellular network.", facts)
            held?.interfaceName == null -> notRun("The platform reported no cellular network while it was held.", facts)
            "ipv6" in run.families && held.hasIpv6 != true -> failed("IPv6 was used, but the platform does not report it.", facts)
            "ipv4" in run.families && held.hasIpv4 != true && held.has464Xlat != true ->
                failed("IPv4 was used, but the platform reports neither it nor 464XLAT.", facts)
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

    /** [began]: in the background. [after]: after the return. */
    fun background(
        began: Run?,
        after: Run?,
    ): CheckResult {
        if (began == null) return failed("The app stayed in the foreground.")
        val facts = after?.facts.orEmpty() + facts("in_background" to began.outcome, "in_background_ms" to began.totalMs)
        return when {
            began.outcome == "internal" -> failed("The verification in the background failed with an internal error.", facts)
            after == null -> failed("The app did not return to the foreground.", facts)
            else -> run(CheckStep.BACKGROUND, after).copy(facts = facts)
        }
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
