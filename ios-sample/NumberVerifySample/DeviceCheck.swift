import Combine
import Foundation

/// What the check does on a phone; a test replaces it.
@MainActor
protocol CheckPlatform {
  /// Model, system and app version, by name, for the report.
  var device: [String: String] { get }

  func networks() async -> PhoneNetworks

  /// A verification of the library. `whileHeld` runs concurrently once cellular is acquired, and is
  /// cancelled when the verification ends.
  func verify(whileHeld: @escaping @MainActor () async -> Void) async -> CheckRun

  /// The library's `prepare()`. Returns `nil`, or the error as ``CheckRun/outcome``.
  func prepare() async -> String?

  /// A verification whose auth URL is `https://HOST/`: the library resolves a public name.
  func open(_ host: String) async -> CheckRun

  /// The source address of a request over the default network that is not the library's, as the
  /// server received it; `nil` without a server or without a response.
  func defaultAddress() async -> String?

  /// The source addresses of a verification's requests, as the simulator received them, which
  /// returns them once; empty if it received none; `nil` without a simulator or without a response.
  func libraryAddresses(correlator: String) async -> LibraryAddresses?

  /// Waits until the app is in the foreground, or not. Returns `false` after a minute.
  func awaitForeground(_ isForeground: Bool) async -> Bool
}

/// Runs the steps in order, and collects the evidence for ``CheckJudgement``.
@MainActor
final class DeviceCheck: ObservableObject {
  @Published private(set) var state = CheckState()

  private let platform: any CheckPlatform
  /// Whether there is a person to follow the instructions.
  private let isAttended: Bool
  /// A host name in public DNS.
  private let dnsHost: String?
  private let save: (CheckReport) -> Void
  private let answers = AsyncStream.makeStream(of: Bool.self)
  private var runs: [(step: CheckStep, run: CheckRun)] = []
  private var addresses = CheckAddresses()
  /// The run of `addresses`, and the networks while it held cellular.
  private var measured: CheckRun?
  private var held: PhoneNetworks?
  private var usualSIM: String?

  /// `save` receives the report at the beginning and after each step.
  init(platform: any CheckPlatform, isAttended: Bool, dnsHost: String?, save: @escaping (CheckReport) -> Void) {
    self.platform = platform
    self.isAttended = isAttended
    self.dnsHost = dnsHost
    self.save = save
  }

  var report: CheckReport { CheckReport(device: platform.device, state: state, runs: runs) }

  /// Runs all steps once.
  func run() async {
    guard state == CheckState() else { return }
    // A report of an earlier check must not look like this one's.
    save(report)
    var answers = answers.stream.makeAsyncIterator()
    for step in CheckStep.allCases {
      state = state.began(step, isAttended: isAttended)
      let result: CheckResult
      if step.instruction == nil {
        result = await evidence(step)
      } else if !isAttended && !step.isUsualState {
        result = CheckJudgement.skipped("Skipped: it requires a person.")
      } else if isAttended, await answers.next() != true {
        result = CheckJudgement.skipped("The person skipped it.")
      } else {
        result = await evidence(step)
      }
      if Task.isCancelled { return }
      state = state.ended(step, result)
      save(report)
    }
  }

  /// The person has followed the instruction, or skips the step.
  func answer(isDone: Bool) {
    if !state.isWaiting { return }
    state = state.continued()
    answers.continuation.yield(isDone)
  }

  private func evidence(_ step: CheckStep) async -> CheckResult {
    switch step {
    case .conditions:
      let networks = await platform.networks()
      usualSIM = networks.dataSIM
      return CheckJudgement.conditions(networks)
    case .first: return CheckJudgement.run(step, await measured(step))
    case .addresses: return CheckJudgement.addresses(addresses)
    case .otherTraffic: return CheckJudgement.otherTraffic(addresses)
    case .dns:
      guard let dnsHost else { return CheckJudgement.notRun("No host name was given.") }
      return CheckJudgement.dns(await platform.open(dnsHost))
    case .memory: return CheckJudgement.memory(await verified(step))
    case .prepare:
      let began = Date()
      let obstacle = await platform.prepare()
      let prepareMs = Int(Date().timeIntervalSince(began) * 1_000)
      return CheckJudgement.prepare(obstacle, prepareMs: prepareMs, await verified(step))
    case .families: return CheckJudgement.families(held, measured)
    case .background:
      guard await platform.awaitForeground(false) else { return CheckJudgement.background(began: nil, after: nil) }
      let began = await verified(step)
      return CheckJudgement.background(began: began, after: await platform.awaitForeground(true) ? await verified(step) : nil)
    case .vpn:
      let run = await measured(step)
      return CheckJudgement.vpn(await platform.networks(), run, addresses)
    case .dataOff, .airplane:
      let wasVerified = runs.contains { $0.run.outcome == "verified" && $0.run.isBound }
      return CheckJudgement.noNetwork(step, await verified(step), wasVerified: wasVerified)
    case .otherSIM:
      let run = await measured(step)
      return CheckJudgement.otherSIM(before: usualSIM, after: await platform.networks().dataSIM, run, addresses)
    case .last: return CheckJudgement.verified(step, await measured(step), addresses)
    }
  }

  private func verified(_ step: CheckStep) async -> CheckRun { record(step, await platform.verify {}) }

  /// A verification, with the source addresses that servers received.
  private func measured(_ step: CheckStep) async -> CheckRun {
    addresses = CheckAddresses(before: await platform.defaultAddress())
    held = nil
    let run = await platform.verify {
      let networks = await self.platform.networks()
      // After the end of the verification, it is no evidence.
      if Task.isCancelled { return }
      self.held = networks
      let address = await self.platform.defaultAddress()
      if !Task.isCancelled { self.addresses.during = address }
    }
    measured = run
    addresses.library = await platform.libraryAddresses(correlator: run.correlator)
    addresses.after = await platform.defaultAddress()
    return record(step, run)
  }

  private func record(_ step: CheckStep, _ run: CheckRun) -> CheckRun {
    runs.append((step, run))
    return run
  }
}
