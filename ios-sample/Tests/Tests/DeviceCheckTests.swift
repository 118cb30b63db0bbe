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
  var library: LibraryAddresses? = LibraryAddresses(backend: ["192.0.2.1"], operator: ["198.51.100.7"])
  var obstacle: String?
  var goesToBackground = true
  var returnsToForeground = true
  /// The outcome of a verification that begins in the background, if it is another one.
  var inBackground: CheckRun?
  /// Whether a verification ends before what runs meanwhile.
  var endsFirst = false
  private var isInBackground = false

  init() {
    networks[.vpn] = usual
    networks[.vpn]?.hasVPN = true
    networks[.otherSIM] = usual
    networks[.otherSIM]?.dataSIM = "2"
    runs[.dataOff] = CheckRun(outcome: "cellular_unavailable/data_off")
    runs[.airplane] = CheckRun(outcome: "cellular_unavailable/no_interface")
  }

  /// It uses a connection that it has opened ahead, and one that prepare() has opened.
  static func verified(
    network: String? = "apple_interface", hops: [CheckRun.Hop] = [hop("first.test"), hop("next.test")],
    openedAhead: [String] = ["next.test"]
  ) -> CheckRun {
    CheckRun(
      outcome: "verified", network: network, correlator: "correlator", totalMs: 900, acquireMs: 300, hops: hops, openedAhead: openedAhead,
      trace: #"{"version":1,"correlator":"correlator"}"#)
  }

  static func hop(_ host: String, family: String = "ipv4", dnsMs: Int? = 12, isAhead: Bool = true) -> CheckRun.Hop {
    CheckRun.Hop(host: host, family: family, dnsMs: dnsMs, openedAhead: isAhead)
  }

  func network(ipv4: Bool, ipv6: Bool) -> PhoneNetworks {
    var network = usual
    (network.hasIPv4, network.hasIPv6) = (ipv4, ipv6)
    return network
  }

  /// The same outcome in every step.
  func always(_ run: CheckRun) {
    (self.run, runs) = (run, [:])
  }

  private var next: CheckRun {
    if isInBackground, let inBackground { return inBackground }
    return step().flatMap { runs[$0] } ?? run
  }

  func networks() async -> PhoneNetworks { step().flatMap { networks[$0] } ?? usual }

  func verify(whileHeld: @escaping @MainActor () async -> Void) async -> CheckRun {
    let held = Task { await whileHeld() }
    if endsFirst { held.cancel() }
    await held.value
    return next
  }

  func prepare() async -> String? { obstacle }

  func open(_ host: String) async -> CheckRun { next }

  func defaultAddress() async -> String? { address }

  func libraryAddresses(correlator: String) async -> LibraryAddresses? { library }

  func awaitForeground(_ isForeground: Bool) async -> Bool {
    let succeeds = isForeground ? returnsToForeground : goesToBackground
    if succeeds { isInBackground = !isForeground }
    return succeeds
  }
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
    let cellularIsWifi: (FakePhone) -> Void = { $0.library?.operator = ["192.0.2.1"] }
    let isNotReported: (FakePhone) -> Void = { $0.library = nil }
    let endsFirst: (FakePhone) -> Void = { $0.endsFirst = true }
    let isUnbound: (FakePhone) -> Void = { $0.always(FakePhone.verified(network: "unbound")) }
    let fails: (FakePhone) -> Void = { $0.always(CheckRun(outcome: "backend/unreachable")) }
    let hasNoNetworks: (FakePhone) -> Void = { phone in
      for step in CheckStep.allCases {
        phone.networks[step] = PhoneNetworks(default: "none", hasVPN: false, status: "no_interface")
      }
    }
    let noAddress: (FakePhone) -> Void = { $0.address = nil }
    let hasNoSIM: (FakePhone) -> Void = { $0.always(CheckRun(outcome: "cellular_unavailable/no_interface")) }
    let wrong: [CheckStep: [(FakePhone) -> Void]] = [
      .conditions: [hasNoNetworks, { $0.networks[.conditions] = $0.networks[.vpn] }],
      .first: [isUnbound, fails, { $0.always(CheckRun(outcome: "not_verified")) }],
      .addresses: [
        cellularIsWifi, noAddress, isNotReported, endsFirst, { $0.library?.operator = [] },
        { $0.library?.operator = ["198.51.100.7", "192.0.2.1"] }, { $0.library?.operator = ["2001:db8::1"] }, { $0.address = "nonsense" },
      ],
      .otherTraffic: [
        noAddress, isNotReported, endsFirst, { $0.address = "<html>" }, { $0.library?.backend = [] },
        { $0.library?.backend = ["192.0.2.1", "198.51.100.7"] }, { $0.library?.backend = ["2001:db8::1"] },
      ],
      .dns: [isUnbound, fails, { $0.always(FakePhone.verified(hops: [FakePhone.hop("a.test", dnsMs: nil)])) }],
      .memory: [
        isUnbound, fails, { $0.always(FakePhone.verified(openedAhead: [])) },
        { $0.always(FakePhone.verified(hops: [FakePhone.hop("next.test", isAhead: false)])) },
      ],
      .prepare: [
        isUnbound, fails, { $0.obstacle = "cellular_unavailable/timeout" },
        { $0.always(FakePhone.verified(hops: [FakePhone.hop("next.test"), FakePhone.hop("last.test", isAhead: false)])) },
      ],
      .families: [
        isUnbound, fails, endsFirst, hasNoNetworks, { $0.networks[.first] = $0.network(ipv4: false, ipv6: false) },
        { $0.networks[.first] = $0.network(ipv4: false, ipv6: true) },
        {
          $0.networks[.first] = $0.network(ipv4: true, ipv6: false)
          $0.always(FakePhone.verified(hops: [FakePhone.hop("a.test", family: "ipv6")]))
        },
      ],
      .background: [
        isUnbound, fails, { $0.goesToBackground = false }, { $0.returnsToForeground = false },
        { $0.inBackground = CheckRun(outcome: "internal") },
      ],
      .vpn: [fails, isUnbound, cellularIsWifi, hasNoNetworks, isNotReported],
      .dataOff: [fails, hasNoSIM, { $0.runs[.dataOff] = nil }, { $0.always(CheckRun(outcome: "cellular_unavailable/vpn")) }],
      .airplane: [fails, hasNoSIM, { $0.runs[.airplane] = nil }],
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
    let changing = CheckAddresses(before: "192.0.2.1", during: "192.0.2.2", after: "192.0.2.1", library: FakePhone().library)
    #expect(CheckJudgement.otherTraffic(changing).outcome == .failed)
    #expect(CheckJudgement.addresses(changing).outcome == .failed)
  }

  @Test func ipv6AddressesAreComparedByTheirNetwork() {
    var addresses = CheckAddresses(before: "2001:db8:1:2::1", during: "2001:db8:1:2:ffff::2", after: "2001:db8:1:2::3")
    addresses.library = LibraryAddresses(backend: ["2001:db8:1:2::5"], operator: ["2001:db8:1:2::4"])
    #expect(CheckJudgement.otherTraffic(addresses).outcome == .passed)
    #expect(CheckJudgement.addresses(addresses).outcome == .failed)
    addresses.library?.operator = ["2001:db8:1:3::1"]
    #expect(CheckJudgement.addresses(addresses).outcome == .passed)
  }

  @Test(arguments: ["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:192.0.2.1", "::ffff:c000:201", "0:0:0:0:0:ffff:c000:0201"])
  func mappedAddressIsOfIPv4(_ text: String) {
    #expect(CheckAddresses.network(of: text) == "ipv4 192.0.2.1")
  }

  @Test func onlyAddressesHaveANetwork() {
    #expect(CheckAddresses.network(of: "2001:db8:1:2:3:4:5:6") == "ipv6 32.1.13.184.0.1.0.2")
    for text in ["localhost", "", "1.2.3", "1.2.3.4.5", "beef", "999.1.1.1", "dead.beef.cafe.de", "dead:beef", "1::2::3"] {
      #expect(CheckAddresses.network(of: text) == nil)
    }
  }

  @Test func ipv4OverAnIPv6OnlyNetworkPassesWith464XLAT() {
    var held = FakePhone().network(ipv4: false, ipv6: true)
    held.has464XLAT = true
    let result = CheckJudgement.families(held, FakePhone.verified())
    #expect(result.outcome == .passed && result.facts["464xlat"] == "true", "\(result)")
  }

  @Test func missingNetworkIsNotDistinguished() async {
    let state = await checked(FakePhone()).state
    #expect(state[.airplane].facts["distinguished"] == "no" && state[.dataOff].facts["distinguished"] == "no")
  }

  @Test(arguments: [
    ("http://192.0.2.1:8080/observed", "GET /observed HTTP/1.0\r\nHost: 192.0.2.1:8080"),
    ("http://[2001:db8::1]:8080/observed/a%20b", "GET /observed/a%20b HTTP/1.0\r\nHost: [2001:db8::1]:8080"),
    ("http://echo.test", "GET / HTTP/1.0\r\nHost: echo.test"),
    ("http://echo.test?format=json&a=%20", "GET /?format=json&a=%20 HTTP/1.0\r\nHost: echo.test"),
  ])
  func plainRequestHasHostAndQuery(url: String, head: String) throws {
    #expect(PlainHTTP.request(try #require(URL(string: url))) == head + "\r\nConnection: close\r\n\r\n")
  }

  @Test func unknownCorrelatorIsEvidenceOfNoRequest() async throws {
    let observed = try #require(try Development(simulator: Simulator.line).observed)
    #expect(await AddressClient(echo: nil, observed: observed).libraryAddresses(correlator: "unknown") == LibraryAddresses())
    let closed = try ClosedPort()
    let unreachable = AddressClient(echo: nil, observed: "http://127.0.0.1:\(closed.number)/observed")
    #expect(await unreachable.libraryAddresses(correlator: "unknown") == nil)
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
    for secret in ["192.0.2", "198.51.100", "dataSIM", "correlator"] { #expect(!text.contains(secret)) }
    let verified = (report["verifications"] as? [[String: Any]])?.compactMap { $0["step"] as? String } ?? []
    #expect(verified.contains("first"))
    #expect(!verified.contains("dns"), "the page of a public host is not in the report")
  }

  /// The real library against the simulator, on loopback: nothing that depends on cellular may pass.
  @Test func loopbackPassesNothingAboutCellular() async throws {
    let world = Stub.World()
    world.atStart(path: NWPath(.satisfied, [.cellular]), usual: NWPath(.satisfied, [.wifi]))
    let platform = try platform()
    let check = DeviceCheck(platform: platform, isAttended: false, dnsHost: "localhost") { _ in }
    await Stub.$world.withValue(world) { await check.run() }
    let state = check.state
    #expect(state[.first].facts["outcome"] == "verified")
    #expect(state[.first].reason == "The sockets were not bound to a cellular network (unbound).")
    #expect(state[.addresses].reason == "A request to the operator’s side came from the default network’s address.")
    let runs = try runs(in: check.report.json())
    #expect(Array(runs.keys).sorted() == ["first", "last", "memory", "prepare"])
    #expect(runs["memory"].map(usesPrepared) == false, "without prepare(), connections are of the verification")
    #expect(runs["prepare"].map(usesPrepared) == true, "prepare() has opened connections")
    #expect(state[.conditions].facts["default_network"] == "wifi")
    #expect(state[.conditions].facts["path"] == "satisfied")
    #expect(CheckStep.allCases.filter { state[$0].outcome == .passed } == [.otherTraffic], "only what needs no cellular network")
    let report = check.report.share()
    for secret in ["4155550100", "127.0.0.1", "code=", "state=", "correlator"] { #expect(!report.contains(secret)) }
  }

  /// What runs while cellular is held is no evidence if it ends later.
  @Test func endOfVerificationCancelsWhatRunsMeanwhile() async throws {
    let world = Stub.World()
    world.atStart(path: NWPath(.satisfied, [.cellular]), usual: NWPath(.satisfied, [.wifi]))
    let platform = try platform()
    var events: [String] = []
    await Stub.$world.withValue(world) {
      let run = await platform.verify {
        events.append("held")
        while !Task.isCancelled { await Task.yield() }
        events.append("cancelled")
      }
      events.append(run.outcome)
    }
    #expect(events == ["held", "cancelled", "verified"])
  }

  @Test func causesHaveTheNamesOfTraces() {
    #expect([CellularCause.noSIM, .notDataSIM, .dataOff, .vpn].map(\.name) == ["no_sim", "not_data_sim", "data_off", "vpn"])
  }

  /// The real library, over any network. Its verifications take longer than the request of the check
  /// meanwhile, as over cellular.
  private func platform() throws -> AppleCheckPlatform {
    let development = try Development(simulator: Simulator.slowLine)
    var settings = Settings()
    settings.backend = try #require(development.backend)
    settings.anyNetwork = true
    return AppleCheckPlatform(development: development, settings: settings, phoneNumber: Simulator.number)
  }

  /// The runs of a report by step.
  private func runs(in report: String) throws -> [String: CheckRun] {
    let report = try JSONSerialization.jsonObject(with: Data(report.utf8)) as? [String: Any]
    var runs: [String: CheckRun] = [:]
    for verification in report?["verifications"] as? [[String: Any]] ?? [] {
      let trace = try JSONSerialization.data(withJSONObject: verification["trace"] ?? [:])
      runs[verification["step"] as? String ?? ""] = try CheckRun(trace: String(decoding: trace, as: UTF8.self))
    }
    return runs
  }

  private func usesPrepared(_ run: CheckRun) -> Bool { run.hops.contains { $0.openedAhead && !run.openedAhead.contains($0.host) } }

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
