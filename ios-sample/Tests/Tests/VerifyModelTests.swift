import NumberVerify
import Testing

@testable import NumberVerifySample

/// The model as the app has it, with the real library, over any network, against the simulator program. What waits for the model looks again
/// and again; the time limit is for what hangs.
@MainActor
@Suite(.timeLimit(.minutes(1)))
struct VerifyModelTests {
  private let number = "+14155550100"
  private let model: VerifyModel

  init() throws {
    model = VerifyModel(development: try Development(simulator: Simulator.line))
    model.settings.backend = Simulator.shared.backend("b")
    model.phoneNumber = number
  }

  @Test func theNumberOfThisSIMIsVerified() async throws {
    var announced: [String] = []
    model.verify()
    while model.state.isRunning {
      if let announcement = model.state.announcement, announcement != announced.last { announced.append(announcement) }
      await Task.yield()
    }
    let card = try #require(model.state.card)
    #expect(card.title == "Verified")
    #expect(card.actions.isEmpty)
    #expect(card.tone == .success)
    #expect(model.state.announcement == "Verified. The SIM in this phone has the number.")
    #expect(announced.contains("Ask the operator…"))
    #expect(model.state.steps.hops.count == 6, "the redirects of operator B")
    #expect(model.state.steps.hops.contains { $0.isCleartext })
    #expect(model.state.steps.totalMs != nil)
    for step in Step.allCases {
      #expect(Texts.said(step, model.state.steps[step]).contains("done, "))
    }
    let trace = try #require(model.state.trace)
    #expect(trace.contains("auth.simulator.test"))
    expectNoNumber(in: trace)
  }

  @Test func theNumberOfAnotherSIMIsNotVerified() async {
    model.phoneNumber = "+14155550199"
    await verify()
    #expect(model.state.card?.title == "Not verified")
    #expect(model.state.card?.actions == [.useSMS])
  }

  @Test func whatIsNoNumberIsSaidBesideTheField() async {
    model.phoneNumber = "12"
    await verify()
    #expect(model.state == .ready(numberIsInvalid: true))
    #expect(model.state.card == nil)
    #expect(model.state.announcement == Texts.phoneNumberInvalid)
    model.phoneNumber = "+1 (415) 555-0100"
    await verify()
    #expect(model.state.card?.title == "Verified")
  }

  @Test func anotherChannelWhereTheOperatorHasNoAnswer() async {
    // The simulator's operator does not know this path of its own.
    model.settings.backend = Simulator.shared.backend("a").replacing("/number-verify/a", with: "/number-verify/unknown-operator")
    await verify()
    #expect(model.state.card?.cause != nil)
  }

  @Test func retryLaterWhereTheBackendIsDownAndThenItIsNot() async {
    let backend = model.settings.backend
    model.settings.backend = "https://127.0.0.1:1/number-verify"
    await verify()
    #expect(model.state.card?.title == "Try again in a moment")
    #expect(model.state.card?.actions == [.tryAgain, .useSMS])
    #expect(model.state.steps[.start] == .failed)
    model.settings.backend = backend
    await verify()
    #expect(model.state.card?.title == "Verified")
  }

  @Test func theReportForTheDeveloperHoldsNoNumber() async throws {
    model.settings.backend = model.settings.backend.replacing("/number-verify/", with: "/nothing/")
    await verify()
    let card = try #require(model.state.card)
    #expect(card.title == "For the developer")
    #expect(card.tone == .failure)
    #expect(card.actions == [.shareReport])
    #expect(card.report.contains("404"))
    #expect(card.report.contains("correlator"))
    expectNoNumber(in: card.report)
  }

  @Test func cancelEndsAVerificationAndAnotherOneCanBegin() async {
    model.verify()
    model.verify()
    model.cancel()
    #expect(model.state.card?.title == "Cancelled")
    await verify()
    #expect(model.state.card?.title == "Verified")
    #expect(model.state.steps.hops.count == 6, "none of the cancelled verification")
  }

  @Test func preparingTellsTheStateOfCellular() async {
    #expect(model.cellular == nil)
    await model.prepare()
    #expect(model.cellular == .ready)
  }

  @Test func aHalfTypedBackendIsNoProblemBeforeVerify() async {
    model.settings.backend = "https://"
    await model.prepare()
    #expect(model.cellular == nil)
    await verify()
    #expect(model.state.card?.title == "For the developer")
  }

  @Test func withoutDevelopmentThereIsNoSwitch() {
    let released = VerifyModel(development: nil)
    #expect(!released.canUseAnyNetwork)
    #expect(!released.settings.anyNetwork)
    #expect(released.settings.backend == "https://api.example.com/number-verify")
  }

  @Test func aModelThatIsLetGoEndsItsVerification() async {
    var gone: VerifyModel? = model
    weak var left: VerifyModel?
    do {
      let other = VerifyModel(development: nil)
      gone = other
      left = other
      other.verify()
    }
    gone = nil
    while left != nil { await Task.yield() }
    #expect(gone == nil)
  }

  private func verify() async {
    model.verify()
    while model.state.isRunning { await Task.yield() }
  }

  private func expectNoNumber(in text: String) {
    let digits = text.filter(\.isNumber)
    #expect(!digits.contains("4155550100"))
  }
}
