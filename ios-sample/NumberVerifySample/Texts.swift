import NumberVerify

/// The texts of the screen; a test compares them with those of the Android sample. English only: an
/// app with more languages uses a string catalog.
enum Texts {
  static let appName = "Number Verify"
  static let appWhat = "Verifies that the SIM in this phone owns a number, or retrieves its number, without an SMS."

  // The result of `check()`.
  static let cellularReady = "Cellular is ready"
  static let cellularBesideWifi = "On Wi-Fi; cellular is used in addition"
  static let cellularAny = "Any network, for development"
  static let cellularDataOff = "Mobile data is off"
  static let cellularVpn = "A VPN captures this app’s traffic"
  static let cellularSimulator = "Apple’s simulator has no cellular network"
  static let cellularUnavailable = "Cellular is not available"

  static let phoneNumber = "Phone number"
  static let phoneNumberHint = "+14155550100"
  static let phoneNumberInvalid =
    "Enter the number with its country code: a plus sign and 5 to 15 digits, such as +14155550100."
  static let backend = "Backend URL"
  static let anyNetwork = "Any network"
  static let anyNetworkWhat = "For development, in debug builds only: uses the phone’s default network instead of cellular."
  static let verify = "Verify"
  static let retrieve = "Use this phone’s number"
  static let retrieveWhat =
    "Without typing it. By tapping this, you agree that your operator shares the SIM’s number with the backend."
  static let cancel = "Cancel"

  static let steps = "Steps"
  static let stepStart = "Call the backend"
  static let stepStartWhat = "It returns the auth URL"
  static let stepAcquire = "Acquire cellular"
  static let stepAcquireWhat = "At the same time, in addition to Wi-Fi"
  static let stepAuthorize = "Call the operator"
  static let stepAuthorizeWhat = "Over cellular, following redirects"
  static let stepComplete = "Submit the code"
  static let stepCompleteWhat = "The backend returns the result"
  static let stepWaiting = "not started"
  static let stepRunning = "running"
  static let stepDone = "done"
  static let stepFailed = "failed"
  static let stepStopped = "stopped"
  static let hopCleartext = "http"
  static let hopNoAnswer = "no response"

  static let slow = "This takes longer than usual"
  static let slowWhat = "It continues. An app now offers an SMS code."
  static let verified = "Verified"
  static let verifiedWhat = "The SIM in this phone owns the number."
  static let retrieved = "This phone’s number"
  static let retrievedWhat =
    "Your operator returned this number for the SIM for mobile data. An app asks the user to confirm it."
  static let notVerified = "Not verified"
  static let notVerifiedWhat =
    "The SIM for mobile data has another number. If this phone has two SIMs, the other one may own this number: switch mobile data to it and try again."
  static let cancelled = "Cancelled"
  static let cancelledWhat = "It was stopped, and the network was released."

  // One card per fallback.
  static let mobileDataNeeded = "Mobile data is needed"
  static let mobileDataNeededWhat = "Turn on mobile data for this app, then try again. Wi-Fi can stay on."
  static let retryLater = "Try again in a moment"
  static let retryLaterWhat = "The failure is temporary. The same call may succeed later."
  static let anotherChannel = "Verify in another way"
  static let anotherChannelWhat =
    "It cannot be done silently on this phone, and trying again will not help. An app sends an SMS code instead."
  static let fixIntegration = "For the developer"
  static let fixIntegrationWhat =
    "The app, its settings or its backend must be corrected. The user cannot resolve this."

  static let openSettings = "Open Settings"
  static let tryAgain = "Try again"
  static let useSms = "Use SMS instead"
  static let useSmsWhat =
    "An app now sends a code by SMS to the number that the user has entered, and asks for the code, as on phones without silent verification. This sample has no SMS service and stops here."
  static let shareReport = "Share a report"
  static let ok = "OK"

  static let trace = "Trace"
  static let traceWhat = "Safe to share: contains no number, code, cookie or query."
  static let share = "Share"
  static let shareTrace = "Share the trace"
  static let traceTable = "The trace as a table: every request with its times in milliseconds"

  // The device check. Its steps are in `CheckStep`.
  static let check = "Check this phone"
  static let checkWhat =
    "For developers: how the library and this phone work together, step by step. It verifies the number several times."
  static let checkContinue = "Continue"
  static let checkSkip = "Skip"
  static let checkShareWhat = "Safe to share: contains no number, code, cookie or address."
  static let checkNotRun = "not run"
  static let checkPassed = "passed"
  static let checkFailed = "failed"
  static let checkSkipped = "skipped"
}

extension Texts {
  static func title(_ step: Step) -> String {
    switch step {
    case .start: stepStart
    case .acquire: stepAcquire
    case .authorize: stepAuthorize
    case .complete: stepComplete
    }
  }

  static func detail(_ step: Step) -> String {
    switch step {
    case .start: stepStartWhat
    case .acquire: stepAcquireWhat
    case .authorize: stepAuthorizeWhat
    case .complete: stepCompleteWhat
    }
  }

  static func label(_ action: OutcomeCard.Action) -> String {
    switch action {
    case .openSettings: openSettings
    case .tryAgain: tryAgain
    case .useSMS: useSms
    case .shareReport: shareReport
    }
  }

  /// The text for a running step.
  static func progress(_ step: Step) -> String { "\(title(step))…" }

  static func milliseconds(_ milliseconds: Int) -> String { "\(milliseconds) ms" }

  /// iOS reports fewer causes than Android: neither airplane mode nor a missing SIM.
  static func text(for status: CellularStatus) -> String {
    switch status {
    case .ready: cellularReady
    case .wifiActive: cellularBesideWifi
    case .unavailable(.dataOff): cellularDataOff
    case .unavailable(.vpn): cellularVpn
    case .unavailable(.simulator): cellularSimulator
    case .unavailable: cellularUnavailable
    }
  }
}

// VoiceOver: each row is one sentence.
extension Texts {
  static func text(for step: Step, _ state: Steps.State) -> String {
    switch state {
    case .waiting: "\(title(step)): \(stepWaiting)"
    case .running: "\(title(step)): \(stepRunning)"
    case .done(let tookMs): "\(title(step)): \(stepDone), \(tookMs) milliseconds"
    case .failed: "\(title(step)): \(stepFailed)"
    case .stopped: "\(title(step)): \(stepStopped)"
    }
  }

  static func text(for hop: Hop) -> String {
    let cleartext = hop.isCleartext ? ", not encrypted" : ""
    return "Request \(hop.index) to \(hop.host)\(cleartext): \(status(hop)), \(hop.tookMs) milliseconds"
  }

  static func status(_ hop: Hop) -> String { hop.status.map(String.init) ?? hopNoAnswer }
}

// The device check.
extension Texts {
  static func text(for outcome: CheckResult.Outcome) -> String {
    switch outcome {
    case .notRun: checkNotRun
    case .passed: checkPassed
    case .failed: checkFailed
    case .skipped: checkSkipped
    }
  }

  static func checkFinished(_ state: CheckState) -> String {
    "\(state.count(.passed)) of \(CheckStep.allCases.count) passed"
  }
}
