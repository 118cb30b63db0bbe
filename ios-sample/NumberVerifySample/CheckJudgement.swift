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
    guard let seenAddresses = addresses.operator else { return notRun(noObserver) }
    guard addresses.default.allSatisfy({ $0 != nil }) else { return notRun(noAddress) }
    if seenAddresses.isEmpty { return failed("The server saw no request to the operator’s side.") }
    let networks = addresses.default.compactMap { $0.flatMap(CheckAddresses.network(of:)) }
    let seen = seenAddresses.compactMap(CheckAddresses.network(of:))
    guard let usual = networks.first, networks.count == 3, seen.count == seenAddresses.count else {
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
    guard addresses.default.allSatisfy({ $0 != nil }) else { return notRun(noAddress) }
    let networks = addresses.default.compactMap { $0.flatMap(CheckAddresses.network(of:)) }
    guard let first = networks.first, networks.count == 3 else { return failed("The server did not return an IP address.") }
    if Set(networks).count != 1 { return failed("The default network’s address changed.") }
    return passed("The address did not change.", ["default_family": CheckAddresses.family(of: first)])
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
    return result.outcome == .passed && run.openedAhead == 0 ? failed("No connection was opened ahead.", run.facts) : result
  }

  /// `obstacle`: the error of `prepare()`.
  static func prepare(_ obstacle: String?, prepareMs: Int, _ run: CheckRun) -> CheckResult {
    let facts = run.facts.merging(["prepare_ms": String(prepareMs)]) { $1 }
    if let obstacle { return failed("prepare() failed: \(obstacle).", facts) }
    var result = self.run(.prepare, run)
    result.facts = facts
    let isUsed = run.hops.contains { $0.openedAhead }
    return result.outcome == .passed && !isUsed ? failed("No request used a connection opened ahead.", facts) : result
  }

  static func families(_ networks: PhoneNetworks, _ run: CheckRun?) -> CheckResult {
    guard let run, !run.families.isEmpty else { return notRun("No request was connected.", networks.facts) }
    let used = run.families.joined(separator: ", ")
    let facts = networks.facts.merging(["used": used]) { $1 }
    if !run.isBound { return failed(unbound(run), facts) }
    if networks.hasIPv4 != true && networks.hasIPv6 != true { return failed("The platform reports no address family.", facts) }
    return passed("Used: \(used).", facts)
  }

  static func background(began: CheckRun?, after: CheckRun) -> CheckResult {
    guard let began else { return failed("The app stayed in the foreground.") }
    var result = run(.background, after)
    result.facts.merge(["in_background": began.outcome, "in_background_ms": String(began.totalMs)]) { $1 }
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
