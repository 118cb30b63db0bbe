import Foundation
// The stub module of the NetworkStubs package.
import Network
import NumberVerify
import Testing

@testable import NumberVerifySample

/// The app's model with the real library, over any network, against the simulator program. The
/// tests poll the model; the time limit ends those that hang. Serialized, because some of them
/// block the main thread.
@MainActor
@Suite(.serialized, .timeLimit(.minutes(1)))
struct VerifyModelTests {
  private let number = "+14155550100"
  private let model: VerifyModel

  init() throws {
    model = VerifyModel(development: try Development(simulator: Simulator.line))
    model.settings.backend = Simulator.shared.backend("b")
    model.phoneNumber = number
  }

  @Test func numberOfThisSIMIsVerified() async throws {
    try await verify()
    let card = try #require(model.state.card)
    #expect(card.title == "Verified")
    #expect(card.actions.isEmpty)
    #expect(card.tone == .success)
    #expect(card.announcement == "Verified. The SIM in this phone owns the number.")
    #expect(model.state.steps.hops.count == 6, "the redirects of operator B")
    #expect(model.state.steps.hops.contains { $0.isCleartext })
    #expect(model.state.steps.totalMs != nil)
    for step in Step.allCases {
      #expect(Texts.text(for: step, model.state.steps[step]).contains("done, "))
    }
    let trace = try #require(model.state.trace)
    #expect(trace.contains("auth.simulator.test"))
    let report = try #require(model.state.report)
    #expect(report.hasPrefix("Verified after ") && report.contains(trace))
    expectNoNumber(in: report)
  }

  @Test func numberOfAnotherSIMIsNotVerified() async throws {
    model.phoneNumber = "+14155550199"
    try await verify()
    #expect(model.state.card?.title == "Not verified")
    #expect(model.state.card?.text.contains("switch mobile data to it and try again") == true, "for a phone with two SIMs")
    #expect(model.state.card?.actions == [.useSMS])
  }

  @Test func numberIsRetrieved() async throws {
    let backend = try retrievalBackend()
    model.settings.backend = backend.url
    model.phoneNumber = "not used"
    model.retrieve()
    #expect(model.state == .running(Steps()))
    try await until { !model.state.isRunning }
    let card = try #require(model.state.card)
    #expect(card.title == "This phone’s number")
    #expect(card.number?.phoneNumber == number)
    #expect(card.tone == .success)
    #expect(card.actions.isEmpty)
    #expect(model.state.steps.totalMs != nil)
    for step in Step.allCases {
      #expect(Texts.text(for: step, model.state.steps[step]).contains("done, "))
    }
    let trace = try #require(model.state.trace)
    #expect(trace.contains("auth.simulator.test"))
    expectNoNumber(in: trace)
    #expect(try backend.bodies(to: "start") == [["purpose": "device-phone-number"]])
  }

  @Test func backendWithoutRetrievalShowsTheDeveloperCard() async throws {
    let problem = #"{"type":"about:blank","status":501,"fallback":"fix_integration"}"#
    let backend = try retrievalBackend(
      start: TestBackend.Response(status: 501, contentType: "application/problem+json", body: problem))
    model.settings.backend = backend.url
    try await retrieve()
    let card = try #require(model.state.card)
    #expect(card.title == "For the developer")
    #expect(card.actions == [.shareReport])
    #expect(card.report.contains("501"))
    #expect(model.state.steps[.start] == .failed)
  }

  @Test func tryAgainRepeatsTheFailedAction() async throws {
    let port = try ClosedPort()
    model.settings.backend = "https://127.0.0.1:\(port.number)"
    try await retrieve()
    #expect(model.state.card?.actions == [.tryAgain, .useSMS])
    let backend = try retrievalBackend()
    model.settings.backend = backend.url
    model.tryAgain()
    try await until { !model.state.isRunning }
    #expect(model.state.card?.number?.phoneNumber == number)

    model.settings.backend = "https://127.0.0.1:\(port.number)"
    try await verify()
    model.settings.backend = Simulator.shared.backend("b")
    model.tryAgain()
    try await until { !model.state.isRunning }
    #expect(model.state.card?.title == "Verified")
  }

  @Test func cancelEndsTheRetrieval() async throws {
    let silent = try SilentServer()
    model.settings.backend = silent.url
    model.retrieve()
    try await until { model.state.steps[.acquire].tookMs != nil }
    model.cancel()
    #expect(model.state.card?.title == "Cancelled")
    #expect(try silent.takeConnection().isClosedByClient())
  }

  @Test func invalidNumberIsReportedAtTheField() async throws {
    model.phoneNumber = "12"
    try await verify()
    #expect(model.state == .ready(numberIsInvalid: true))
    #expect(model.state.card == nil)
    #expect(model.state.announcement == Texts.phoneNumberInvalid)
    model.phoneNumber = "+1 (415) 555-0100"
    try await verify()
    #expect(model.state.card?.title == "Verified")
  }

  @Test func unknownSIMShowsAnotherChannel() async throws {
    let model = VerifyModel(development: try Development(simulator: Simulator.strangeLine))
    model.phoneNumber = number
    try await verify(model)
    let card = try #require(model.state.card)
    #expect(card.title == "Verify in another way")
    #expect(card.actions == [.useSMS])
    #expect(card.cause?.isEmpty == false)
    #expect(model.state.steps[.start].tookMs != nil)
    #expect(model.state.steps[.authorize] == .failed)
    #expect(model.state.steps[.complete] == .waiting)
  }

  /// With the stubs of Network.framework instead of any network: mobile data is off for this app.
  @Test func disabledMobileDataShowsSettings() async throws {
    model.settings.anyNetwork = false
    Stub.world.atStart(path: NWPath(.unsatisfied, because: .cellularDenied))
    defer { Stub.world.atStart(path: nil) }
    async let prepared: Void = model.prepare()
    try await verify()
    await prepared
    #expect(model.cellular == .unavailable(.dataOff))
    let card = try #require(model.state.card)
    #expect(card.title == "Mobile data is needed")
    #expect(card.actions == [.openSettings, .tryAgain])
    #expect(model.state.steps[.acquire] == .failed)
    #expect(Texts.text(for: try #require(model.cellular)) == "Mobile data is off")
  }

  @Test func unreachableBackendShowsRetryAndRetrySucceeds() async throws {
    let backend = model.settings.backend
    let port = try ClosedPort()
    model.settings.backend = "https://127.0.0.1:\(port.number)/number-verify"
    try await verify()
    #expect(model.state.card?.title == "Try again in a moment")
    #expect(model.state.card?.actions == [.tryAgain, .useSMS])
    #expect(model.state.steps[.start] == .failed)
    model.settings.backend = backend
    try await verify()
    #expect(model.state.card?.title == "Verified")
  }

  @Test func developerReportContainsNoNumber() async throws {
    model.settings.backend = model.settings.backend.replacing("/number-verify/", with: "/nothing/")
    try await verify()
    let card = try #require(model.state.card)
    #expect(card.title == "For the developer")
    #expect(card.tone == .failure)
    #expect(card.actions == [.shareReport])
    #expect(card.report.contains("404"))
    #expect(card.report.contains("correlator"))
    #expect(card.report.contains("\nContact: the team of the app's backend."))
    expectNoNumber(in: card.report)
  }

  @Test func anotherVerificationCanStartAfterCancel() async throws {
    let backend = model.settings.backend
    let silent = try SilentServer()
    model.settings.backend = silent.url
    model.verify()
    try await until { model.state.steps[.acquire].tookMs != nil }
    #expect(model.state.isRunning)
    model.verify()
    model.cancel()
    #expect(model.state.card?.title == "Cancelled")
    #expect(model.state.steps[.start] == .stopped)
    #expect(try silent.takeConnection().isClosedByClient())
    model.settings.backend = backend
    try await verify()
    #expect(model.state.card?.title == "Verified")
    #expect(model.state.steps.hops.count == 6)
  }

  @Test func slowVerificationOrRetrievalOffersSMSWhileRunning() async throws {
    var development = try Development(simulator: Simulator.line)
    development.slowAfterMs = 1
    let model = VerifyModel(development: development)
    let backend = model.settings.backend
    let silent = try SilentServer()
    model.settings.backend = silent.url
    model.phoneNumber = number
    for start in [model.verify, model.retrieve] {
      start()
      #expect(model.state.card == nil)
      try await until { model.state.card != nil }
      #expect(model.state.card?.title == "This takes longer than usual")
      #expect(model.state.card?.actions == [.useSMS])
      #expect(model.state.isRunning)
      model.cancel()
      #expect(model.state.card?.title == "Cancelled")
    }
    model.settings.backend = backend
    try await verify(model)
    #expect(model.state.card?.title == "Verified")
  }

  @Test func progressOfACancelledVerificationIsNotAppliedToTheNext() async throws {
    let silent = try SilentServer()
    model.settings.backend = silent.url
    model.verify()
    await Task.yield()
    // The verification is running; its progress waits for the main thread, which is blocked here.
    let connection = try silent.takeConnection()
    model.cancel()
    model.phoneNumber = "12"
    model.verify()
    var states: [ScreenState] = []
    try await until {
      states.append(model.state)
      return !model.state.isRunning
    }
    #expect(states.dropLast().allSatisfy { $0 == .running(Steps()) })
    #expect(states.last == .ready(numberIsInvalid: true))
    #expect(connection.isClosedByClient())
  }

  @Test func prepareReportsTheCellularStatus() async {
    #expect(model.cellular == nil)
    await model.prepare()
    #expect(model.cellular == .ready)
  }

  @Test func incompleteBackendURLIsNotReportedBeforeVerify() async throws {
    model.settings.backend = "https://"
    await model.prepare()
    #expect(model.cellular == nil)
    try await verify()
    #expect(model.state.card?.title == "For the developer")
  }

  @Test func releaseBuildHasNoAnyNetworkSwitch() {
    let released = VerifyModel(development: nil)
    #expect(!released.canUseAnyNetwork)
    #expect(!released.settings.anyNetwork)
    #expect(released.settings.backend == "https://api.example.com/number-verify")
  }

  @Test func releasingTheModelEndsItsVerification() async throws {
    let silent = try SilentServer()
    weak var weakModel: VerifyModel?
    var model: VerifyModel? = VerifyModel(development: try Development(simulator: Simulator.line))
    weakModel = model
    model?.phoneNumber = number
    model?.settings.backend = silent.url
    model?.verify()
    try await until { weakModel?.state.steps[.acquire].tookMs != nil }
    model = nil
    #expect(weakModel == nil, "the running task must not retain it")
    #expect(try silent.takeConnection().isClosedByClient())
  }

  private func retrievalBackend(start: TestBackend.Response? = nil) throws -> TestBackend {
    try TestBackend(start: start, complete: TestBackend.Response(body: #"{"phoneNumber":"\#(number)"}"#))
  }

  private func retrieve() async throws {
    model.retrieve()
    try await until { !model.state.isRunning }
  }

  private func verify() async throws { try await verify(model) }

  private func verify(_ model: VerifyModel) async throws {
    model.verify()
    try await until { !model.state.isRunning }
  }

  /// Polls until the condition is true or the test times out.
  private func until(_ condition: () -> Bool) async throws {
    while !condition() {
      try Task.checkCancellation()
      await Task.yield()
    }
  }

  private func expectNoNumber(in text: String) {
    #expect(!text.contains("4155550100"))
  }
}

extension Steps.State {
  fileprivate var tookMs: Int? {
    if case .done(let tookMs) = self { tookMs } else { nil }
  }
}
