import NumberVerify
import Testing

@testable import NumberVerifySample

/// The screen's state machine, without a verification.
struct ScreenStateTests {
  private let running = ScreenState.running(Steps())

  @Test func stepRunsAndCompletes() {
    var state = running.after(.stepBegan(.start, atMs: 0)).after(.stepBegan(.acquire, atMs: 3))
    #expect(state.steps[.start] == .running(sinceMs: 0))
    #expect(state.steps.current == .acquire)
    state = state.after(.stepEnded(.acquire, atMs: 10))
    #expect(state.steps[.acquire] == .done(tookMs: 7))
    #expect(state.steps[.authorize] == .waiting)
    #expect(state.announcement == "Call the backend…")
  }

  @Test(arguments: [
    (Step.start, "Call the backend…"), (.acquire, "Acquire cellular…"), (.authorize, "Call the operator…"),
    (.complete, "Submit the code…"),
  ])
  func runningStepIsAnnounced(step: Step, announcement: String) {
    #expect(running.after(.stepBegan(step, atMs: 0)).announcement == announcement)
  }

  @Test func cancellingStopsTheRunningStep() {
    let state = running.after(.stepBegan(.start, atMs: 0)).after(.stepEnded(.start, atMs: 5)).after(.stepBegan(.authorize, atMs: 6))
      .cancelled()
    #expect(state.steps[.start] == .done(tookMs: 5))
    #expect(state.steps[.authorize] == .stopped)
    #expect(state.card?.title == "Cancelled")
    #expect(state.trace == nil)
  }

  @Test func slowVerificationShowsACardWhileRunning() throws {
    let before = running.after(.stepBegan(.start, atMs: 0))
    #expect(before.card == nil)
    let slow = before.after(.slow(atMs: 4_000))
    let card = try #require(slow.card)
    #expect(card.title == "This takes longer than usual")
    #expect(card.actions == [.useSMS])
    #expect(slow.isRunning)
    #expect(slow.steps[.start] == .running(sinceMs: 0))
    let later = slow.after(.stepEnded(.start, atMs: 4_001)).after(.stepBegan(.authorize, atMs: 4_001))
    #expect(later.card == card, "the same card, whatever follows")
    #expect(later.announcement == "Call the operator…", "the steps are still announced")
    #expect(slow.cancelled().card?.title == "Cancelled")
    #expect(slow.cancelled().after(.slow(atMs: 4_002)) == slow.cancelled())
  }

  @Test func retrievedNumberIsOnTheCardAndNotInDescriptions() throws {
    let number = RetrievedNumber(phoneNumber: "+14155550100", trace: Trace(correlator: "sign-in:42", totalMs: 7))
    let state = running.after(.stepBegan(.start, atMs: 0)).after(.stepEnded(.start, atMs: 5)).after(.retrieved(number))
    #expect(state.steps[.start] == .done(tookMs: 5))
    #expect(state.steps.totalMs == 7)
    #expect(state.trace?.contains("sign-in:42") == true)
    let card = try #require(state.card)
    #expect(card.title == "This phone’s number")
    #expect(card.number?.phoneNumber == "+14155550100")
    #expect(card.announcement.hasPrefix("This phone’s number. +14155550100. Your operator"))
    var output = "\(state) \(card) \(String(reflecting: state)) \(String(reflecting: card)) \(state.trace ?? "")"
    dump(state, to: &output)
    dump(card, to: &output)
    #expect(!output.contains("4155550100"))
  }

  @Test func lateProgressIsIgnored() {
    let late = NumberVerifier.Progress.stepBegan(.complete, atMs: 9)
    let retrieved = running.after(.retrieved(RetrievedNumber(phoneNumber: "+14155550100")))
    for state in [ScreenState.ready(numberIsInvalid: false), running.cancelled(), retrieved] {
      #expect(state.after(late) == state)
      #expect(state.cancelled() == state)
    }
  }

  @Test(arguments: [
    (CellularStatus.ready, "Cellular is ready"),
    (.wifiActive, "On Wi-Fi; cellular is used in addition"),
    (.unavailable(.dataOff), "Mobile data is off"),
    (.unavailable(.vpn), "A VPN captures this app’s traffic"),
    (.unavailable(.simulator), "Apple’s simulator has no cellular network"),
    (.unavailable(.noInterface), "Cellular is not available"),
  ])
  func cellularStatusHasAText(status: CellularStatus, text: String) {
    #expect(Texts.text(for: status) == text)
  }

  @Test(arguments: [
    (Steps.State.waiting, "Call the operator: not started"),
    (.running(sinceMs: 1), "Call the operator: running"),
    (.done(tookMs: 12), "Call the operator: done, 12 milliseconds"),
    (.failed, "Call the operator: failed"),
    (.stopped, "Call the operator: stopped"),
  ])
  func voiceOverReadsAStepAsOneSentence(state: Steps.State, sentence: String) {
    #expect(Texts.text(for: .authorize, state) == sentence)
  }
}
