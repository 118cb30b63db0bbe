import Foundation
import Network
import NumberVerify
import Testing

@testable import NumberVerifySample

/// A phone on which every step passes, unless a test changes a part of it.
@MainActor
private final class FakePhone: CheckPlatform {
  let device = ["platform": "ios", "model": "iPhone0,0"]
  let usual = PhoneNetworks(
    default: "wifi", hasVPN: false, status: "wifi_active", interfaceName: "pdp_ip0", hasIPv4: true, hasIPv6: true, dataSIM: "1")
  var step: () -> CheckStep? = { nil }
  var networks: [CheckStep: PhoneNetworks] = [:]
  var runs: [CheckStep: CheckRun] = [:]
  /// The outcome of all other verifications.
  var run = FakePhone.verified()
  var address: String? = "192.0.2.1"
  var seen: Set<String>? = ["198.51.100.7"]
  var obstacle: String?
  var goesToBackground = true

  init() {
    networks[.vpn] = usual
    networks[.vpn]?.hasVPN = true
    networks[.otherSIM] = usual
    networks[.otherSIM]?.dataSIM = "2"
    runs[.dataOff] = CheckRun(outcome: "cellular_unavailable/data_off")
    runs[.airplane] = CheckRun(outcome: "cellular_unavailable/no_interface")
  }

  static func verified(network: String? = "apple_interface", dnsMs: Int? = 12, isAhead: Bool = true, openedAhead: Int = 2) -> CheckRun {
    CheckRun(
      outcome: "verified", network: network, correlator: "correlator", totalMs: 900, acquireMs: 300,
      hops: [CheckRun.Hop(family: "ipv4", dnsMs: dnsMs, openedAhead: isAhead)], openedAhead: openedAhead, trace: #"{"version":1}"#)
  }

  /// The same outcome in every step.
  func always(_ run: CheckRun) {
    (self.run, runs) = (run, [:])
  }

  private var next: CheckRun { step().flatMap { runs[$0] } ?? run }

  func networks() async -> PhoneNetworks { step().flatMap { networks[$0] } ?? usual }

  func verify(onFirstResponse: @MainActor () async -> Void) async -> CheckRun {
    await onFirstResponse()
    return next
  }

  func prepare() async -> String? { obstacle }

  func open(_ host: String) async -> CheckRun { next }

  func defaultAddress() async -> String? { address }

  func operatorAddresses(correlator: String) async -> Set<String>? { seen }

  func awaitForeground(_ isForeground: Bool) async -> Bool { isForeground || goesToBackground }
}

/// The steps of the check, on a fake phone.
@MainActor
@Suite(.serialized, .timeLimit(.minutes(1)))
struct DeviceCheckTests {
  @Test func everyStepPassesWithItsEvidence() async {
    let state = await checked(FakePhone()).state
    for step in CheckStep.allCases { #expect(state[step].outcome == .passed, "\(step): \(state[step])") }
    #expect(state.isFinished)
  }

  /// For each step, phones on which its evidence is missing: none must pass it.
  @Test func noStepPassesWithoutItsEvidence() async {
    let cellularIsWifi: (FakePhone) -> Void = { $0.seen = ["192.0.2.1"] }
    let isUnbound: (FakePhone) -> Void = { $0.always(FakePhone.verified(network: "unbound")) }
    let fails: (FakePhone) -> Void = { $0.always(CheckRun(outcome: "backend/unreachable")) }
    let hasNoNetworks: (FakePhone) -> Void = { phone in
      for step in CheckStep.allCases {
        phone.networks[step] = PhoneNetworks(default: "none", hasVPN: false, status: "no_interface")
      }
    }
    let noAddress: (FakePhone) -> Void = { $0.address = nil }
    let wrong: [CheckStep: [(FakePhone) -> Void]] = [
      .conditions: [hasNoNetworks, { $0.networks[.conditions] = $0.networks[.vpn] }],
      .first: [isUnbound, fails, { $0.always(CheckRun(outcome: "not_verified")) }],
      .addresses: [
        cellularIsWifi, noAddress, { $0.seen = nil }, { $0.seen = [] }, { $0.seen = ["198.51.100.7", "192.0.2.1"] },
        { $0.seen = ["2001:db8::1"] }, { $0.address = "nonsense" },
      ],
      .otherTraffic: [noAddress, { $0.address = "<html>" }],
      .dns: [isUnbound, fails, { $0.always(FakePhone.verified(dnsMs: nil)) }],
      .memory: [isUnbound, fails, { $0.always(FakePhone.verified(openedAhead: 0)) }],
      .prepare: [isUnbound, fails, { $0.obstacle = "cellular_unavailable/timeout" }, { $0.always(FakePhone.verified(isAhead: false)) }],
      .families: [isUnbound, fails, hasNoNetworks],
      .background: [isUnbound, fails, { $0.goesToBackground = false }],
      .vpn: [fails, isUnbound, cellularIsWifi, hasNoNetworks, { $0.seen = nil }],
      .dataOff: [fails, { $0.runs[.dataOff] = nil }, { $0.always(CheckRun(outcome: "cellular_unavailable/vpn")) }],
      .airplane: [fails, { $0.runs[.airplane] = nil }],
      .otherSIM: [fails, isUnbound, cellularIsWifi, hasNoNetworks, { $0.networks[.otherSIM] = nil }],
      .last: [fails, isUnbound, cellularIsWifi, noAddress],
    ]
    #expect(Set(wrong.keys) == Set(CheckStep.allCases), "every step has phones")
    for (step, phones) in wrong {
      for (index, change) in phones.enumerated() {
        let phone = FakePhone()
        change(phone)
        let result = await checked(phone).state[step]
        #expect(result.outcome == .failed || result.outcome == .notRun, "\(step), phone \(index): \(result)")
      }
    }
  }

  @Test func changingAddressIsNoEvidence() {
    let changing = CheckAddresses(before: "192.0.2.1", during: "192.0.2.2", after: "192.0.2.1", operator: ["198.51.100.7"])
    #expect(CheckJudgement.otherTraffic(changing).outcome == .failed)
    #expect(CheckJudgement.addresses(changing).outcome == .failed)
  }

  @Test func ipv6AddressesAreComparedByTheirNetwork() {
    var addresses = CheckAddresses(before: "2001:db8:1:2::1", during: "2001:db8:1:2:ffff::2", after: "2001:db8:1:2::3")
    #expect(CheckJudgement.otherTraffic(addresses).outcome == .passed)
    addresses.operator = ["2001:db8:1:2::4"]
    #expect(CheckJudgement.addresses(addresses).outcome == .failed)
    addresses.operator = ["2001:db8:1:3::1"]
    #expect(CheckJudgement.addresses(addresses).outcome == .passed)
    #expect(CheckAddresses.network(of: "::ffff:192.0.2.1") == "ipv4 192.0.2.1")
    for text in ["localhost", "example.com", "", "1.2.3", "1.2.3.4.5", "beef"] { #expect(CheckAddresses.network(of: text) == nil) }
  }

  @Test func stepsForAPersonAreSkippedIfThereIsNone() async {
    let alone = await checked(FakePhone(), isAttended: false).state
    for step in CheckStep.allCases where step.instruction != nil && !step.isUsualState { #expect(alone[step].outcome == .skipped) }
    #expect(alone.count(.skipped) == 5)
    #expect(alone.count(.passed) == 9)
    #expect(await checked(FakePhone(), isDone: false).state[.vpn].outcome == .skipped)
    #expect(await checked(FakePhone(), dnsHost: nil).state[.dns].outcome == .notRun)
  }

  @Test func reportHasEveryStepAndNoAddress() async throws {
    var saved: [String] = []
    let check = await checked(FakePhone()) { saved.append($0.json()) }
    let report = try #require(JSONSerialization.jsonObject(with: Data(check.report.json().utf8)) as? [String: Any])
    #expect(report["format"] as? String == "number-verify/device-check")
    #expect(report["version"] as? Int == 1)
    #expect(report["finished"] as? Bool == true)
    #expect((report["steps"] as? [[String: Any]])?.compactMap { $0["id"] as? String } == CheckStep.allCases.map(\.id))
    #expect(saved.count == 1 + CheckStep.allCases.count && saved.last == check.report.json())
    let text = check.report.share()
    #expect(text.hasPrefix("Device check: 0 not run, 14 passed, 0 failed, 0 skipped\n"))
    for step in CheckStep.allCases { #expect(text.contains(step.title)) }
    for secret in ["192.0.2", "198.51.100", "dataSIM"] { #expect(!text.contains(secret)) }
  }

  /// The real library against the simulator, on loopback: nothing that depends on cellular may pass.
  @Test func loopbackPassesNothingAboutCellular() async throws {
    let world = Stub.World()
    world.atStart(path: NWPath(.satisfied, [.cellular]), usual: NWPath(.satisfied, [.wifi]))
    let development = try Development(simulator: Simulator.line)
    var settings = Settings()
    settings.backend = Simulator.shared.backend("b")
    settings.anyNetwork = true
    let platform = AppleCheckPlatform(development: development, settings: settings, phoneNumber: Simulator.number)
    let check = DeviceCheck(platform: platform, isAttended: false, dnsHost: "localhost") { _ in }
    await Stub.$world.withValue(world) { await check.run() }
    let state = check.state
    #expect(state[.first].facts["outcome"] == "verified")
    #expect(state[.first].reason == "The sockets were not bound to a cellular network (unbound).")
    #expect(state[.addresses].reason == "A request to the operator’s side came from the default network’s address.")
    #expect(state[.memory].facts["opened_ahead"] != "0")
    #expect(state[.conditions].facts["default_network"] == "wifi")
    #expect(state[.conditions].facts["path"] == "satisfied")
    #expect(CheckStep.allCases.filter { state[$0].outcome == .passed } == [.otherTraffic], "only what needs no cellular network")
    let report = check.report.share()
    for secret in ["4155550100", "127.0.0.1", "code=", "state="] { #expect(!report.contains(secret)) }
  }

  @Test func causesHaveTheNamesOfTraces() {
    #expect([CellularCause.noSIM, .notDataSIM, .dataOff, .vpn].map(\.name) == ["no_sim", "not_data_sim", "data_off", "vpn"])
  }

  private func checked(
    _ phone: FakePhone, isAttended: Bool = true, isDone: Bool = true, dnsHost: String? = "example.com",
    save: @escaping (CheckReport) -> Void = { _ in }
  ) async -> DeviceCheck {
    let check = DeviceCheck(platform: phone, isAttended: isAttended, dnsHost: dnsHost, save: save)
    phone.step = { check.state.current }
    let running = Task { await check.run() }
    while !check.state.isFinished {
      check.answer(isDone: isDone)
      await Task.yield()
    }
    await running.value
    return check
  }
}
