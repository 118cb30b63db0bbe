/// From evidence to the result of a step. Missing evidence is `notRun` if it could not be
/// collected, and `failed` if it should exist.
enum CheckJudgement {
  static func conditions(_ networks: PhoneNetworks) -> CheckResult {
    if networks.hasVPN { return failed("A VPN is active.", networks.facts) }
    if networks.default != "wifi" { return failed("The default network is not Wi-Fi: \(networks.default).", networks.facts) }
    if networks.status != "wifi_active" { return failed("check() returned \(networks.status).", networks.facts) }
    return passed("Wi-Fi is the default network; check() returned wifi_active.", networks.facts)
  }

  /// A verification with an outcome that passes; if there is a result, over cellular.
  static func run(_ step: CheckStep, _ run: CheckRun) -> CheckResult {
    if !step.outcomes.contains(run.outcome) {
      return failed("The outcome is \(run.outcome); expected: \(step.outcomes.joined(separator: " or ")).", run.facts)
    }
    if run.outcome == "verified" && !run.isBound { return failed(unbound(run), run.facts) }
    return passed("The outcome is \(run.outcome), after \(run.totalMs) ms.", run.facts)
  }

  static func addresses(_ addresses: CheckAddresses) -> CheckResult {
    guard let received = addresses.library?.operator else { return notRun(noObserver) }
    guard addresses.default.allSatisfy({ $0 != nil }) else { return notRun(noAddress) }
    if received.isEmpty { return failed("The server received no request to the operator’s side.") }
    let networks = addresses.default.compactMap { $0.flatMap(CheckAddresses.network(of:)) }
    let seen = received.compactMap(CheckAddresses.network(of:))
    guard let usual = networks.first, networks.count == 3, seen.count == received.count else {
      return failed("A server did not return an IP address.")
    }
    let families = { (networks: [String]) in Set(networks.map(CheckAddresses.family(of:))).sorted().joined(separator: ", ") }
    var facts = CheckRun.facts(["default_family": families(networks), "cellular_family": families(seen)])
    // With several addresses on Wi-Fi, another one is no evidence of another network.
    if Set(networks).count != 1 { return failed("The default network has no constant address to compare with.", facts) }
    if seen.contains(usual) { return failed("A request to the operator’s side came from the default network’s address.", facts) }
    if families(seen) != families([usual]) {
      return failed("The addresses have different families, so they cannot be compared.", facts)
    }
    facts["differs"] = "yes"
    return passed("All requests to the operator’s side came from another address.", facts)
  }

  static func otherTraffic(_ addresses: CheckAddresses) -> CheckResult {
    guard let backend = addresses.library?.backend else { return notRun(noObserver) }
    guard addresses.default.allSatisfy({ $0 != nil }) else { return notRun(noAddress) }
    let networks = addresses.default.compactMap { $0.flatMap(CheckAddresses.network(of:)) }
    guard let usual = networks.first, networks.count == 3 else { return failed("The server did not return an IP address.") }
    let family = CheckAddresses.family(of: usual)
    let facts = ["default_family": family]
    if Set(networks).count != 1 { return failed("The default network’s address changed.", facts) }
    let ofBackend = backend.compactMap(CheckAddresses.network(of:))
    if !ofBackend.contains(usual) { return failed("No request to the backend came from the default network’s address.", facts) }
    if ofBackend.contains(where: { $0 != usual && CheckAddresses.family(of: $0) == family }) {
      return failed("A request to the backend came from another address than the default network’s.", facts)
    }
    return passed("The address did not change, and the requests to the backend came from it.", facts)
  }

  /// Whatever the host responds: only the lookup and the connection matter.
  static func dns(_ run: CheckRun) -> CheckResult {
    guard let hop = run.hops.first, let dnsMs = hop.dnsMs, let family = hop.family else {
      return failed("No name was resolved and connected to: \(run.outcome).", run.facts)
    }
    let facts = run.facts.merging(["dns_ms": String(dnsMs)]) { $1 }
    if !run.isBound { return failed(unbound(run), facts) }
    return passed("Resolved in \(dnsMs) ms, connected over \(family).", facts)
  }

  static func memory(_ run: CheckRun) -> CheckResult {
    let result = self.run(.memory, run)
    let isUsed = run.hops.contains { $0.openedAhead && run.openedAhead.contains($0.host) }
    return result.outcome == .passed && !isUsed ? failed("No request used a connection that it had opened ahead.", run.facts) : result
  }

  /// `obstacle`: the error of `prepare()`.
  static func prepare(_ obstacle: String?, prepareMs: Int, _ run: CheckRun) -> CheckResult {
    let facts = run.facts.merging(["prepare_ms": String(prepareMs)]) { $1 }
    if let obstacle { return failed("prepare() failed: \(obstacle).", facts) }
    var result = self.run(.prepare, run)
    result.facts = facts
    // The verification does not open a connection to a host to which prepare() has opened one.
    let isUsed = run.hops.contains { $0.openedAhead && !run.openedAhead.contains($0.host) }
    return result.outcome == .passed && !isUsed ? failed("No request used a connection that prepare() had opened.", facts) : result
  }

  /// `held`: the networks while `run` held cellular.
  static func families(_ held: PhoneNetworks?, _ run: CheckRun?) -> CheckResult {
    var facts = held?.facts ?? [:]
    guard let run, !run.families.isEmpty else { return notRun("No request was connected.", facts) }
    let used = run.families.joined(separator: ", ")
    facts["used"] = used
    if !run.isBound { return failed(unbound(run), facts) }
    guard let held, held.interfaceName != nil else { return notRun("The platform reported no cellular network while it was held.", facts) }
    if run.families.contains("ipv6") && held.hasIPv6 != true { return failed("IPv6 was used, but the platform does not report it.", facts) }
    if run.families.contains("ipv4") && held.hasIPv4 != true && held.has464XLAT != true {
      return failed("IPv4 was used, but the platform reports neither it nor 464XLAT.", facts)
    }
    return passed("Used: \(used).", facts)
  }

  /// `began`: in the background. `after`: after the return.
  static func background(began: CheckRun?, after: CheckRun?) -> CheckResult {
    guard let began else { return failed("The app stayed in the foreground.") }
    let facts = ["in_background": began.outcome, "in_background_ms": String(began.totalMs)]
    if began.outcome == "internal" { return failed("The verification in the background failed with an internal error.", facts) }
    guard let after else { return failed("The app did not return to the foreground.", facts) }
    var result = run(.background, after)
    result.facts.merge(facts) { $1 }
    return result
  }

  /// iOS reports the same cause with mobile data off, in airplane mode and without a SIM. So this is
  /// evidence only if a verification over cellular worked before.
  static func noNetwork(_ step: CheckStep, _ run: CheckRun, wasVerified: Bool) -> CheckResult {
    if !wasVerified { return notRun("No verification over cellular worked before: it may be a phone without a SIM.", run.facts) }
    var result = self.run(step, run)
    result.facts["distinguished"] = "no"
    return result
  }

  static func vpn(_ networks: PhoneNetworks, _ run: CheckRun, _ addresses: CheckAddresses) -> CheckResult {
    if !networks.hasVPN { return failed("No VPN is active.", networks.facts) }
    return run.outcome == "verified" ? verified(.vpn, run, addresses) : self.run(.vpn, run)
  }

  static func otherSIM(before: String?, after: String?, _ run: CheckRun, _ addresses: CheckAddresses) -> CheckResult {
    guard let before, let after else { return notRun("The platform does not report the SIM for mobile data.", run.facts) }
    if before == after { return failed("The same SIM is set for mobile data.", run.facts) }
    return verified(.otherSIM, run, addresses)
  }

  /// Verified, and from another address than the default network's.
  static func verified(_ step: CheckStep, _ run: CheckRun, _ addresses: CheckAddresses) -> CheckResult {
    let result = self.run(step, run)
    if result.outcome != .passed { return result }
    var compared = self.addresses(addresses)
    compared.facts.merge(run.facts) { $1 }
    return compared
  }

  static func skipped(_ reason: String) -> CheckResult { CheckResult(outcome: .skipped, reason: reason) }

  static func notRun(_ reason: String, _ facts: [String: String] = [:]) -> CheckResult {
    CheckResult(outcome: .notRun, reason: reason, facts: facts)
  }

  private static func passed(_ reason: String, _ facts: [String: String]) -> CheckResult {
    CheckResult(outcome: .passed, reason: reason, facts: facts)
  }

  private static func failed(_ reason: String, _ facts: [String: String] = [:]) -> CheckResult {
    CheckResult(outcome: .failed, reason: reason, facts: facts)
  }

  private static func unbound(_ run: CheckRun) -> String {
    "The sockets were not bound to a cellular network (\(run.network ?? "no network"))."
  }

  private static let noObserver =
    "The server does not report the addresses of the library’s requests: start the app with the simulator’s settings."
  private static let noAddress = "The address of the default network is unknown: no URL returned it."
}
