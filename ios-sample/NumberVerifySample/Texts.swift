import NumberVerify

/// The texts of the screen; a test compares them with those of the Android sample. English only: an
/// app with more languages uses a string catalog.
enum Texts {
  static let appName = "Number Verify"
  static let appWhat = "Checks that the SIM in this phone has the number, or retrieves the number, with no SMS."

  // The result of `check()`.
  static let cellularReady = "Cellular is ready"
  static let cellularBesideWifi = "On Wi-Fi: cellular is brought up beside it"
  static let cellularAny = "Any network, for development"
  static let cellularDataOff = "Mobile data is off"
  static let cellularVpn = "A VPN takes this app’s traffic"
  static let cellularSimulator = "Apple’s simulator has no cellular network"
  static let cellularUnavailable = "Cellular is not available"

  static let phoneNumber = "Phone number"
  static let phoneNumberHint = "+14155550100"
  static let phoneNumberInvalid =
    "Type the number with its country code: a plus sign and 5 to 15 digits, such as +14155550100."
  static let backend = "Backend URL"
  static let anyNetwork = "Any network"
  static let anyNetworkWhat = "For development, in debug builds only: without cellular, on whatever network the phone uses."
  static let verify = "Verify"
  static let retrieve = "Use this phone’s number"
  static let retrieveWhat =
    "Without typing it. If you tap this, you agree that your operator gives the number of the SIM to the backend."
  static let cancel = "Cancel"

  static let steps = "Steps"
  static let stepStart = "Ask the backend"
  static let stepStartWhat = "It answers with the auth URL"
  static let stepAcquire = "Bring up cellular"
  static let stepAcquireWhat = "At the same time, beside Wi-Fi"
  static let stepAuthorize = "Ask the operator"
  static let stepAuthorizeWhat = "Over cellular, along its redirects"
  static let stepComplete = "Hand over the code"
  static let stepCompleteWhat = "The backend responds with the result"
  static let stepWaiting = "not begun"
  static let stepRunning = "running"
  static let stepDone = "done"
  static let stepFailed = "failed"
  static let stepStopped = "stopped"
  static let hopCleartext = "http"
  static let hopNoAnswer = "nothing"

  static let slow = "This takes longer than usual"
  static let slowWhat = "It goes on. An app offers to send a code by SMS now."
  static let verified = "Verified"
  static let verifiedWhat = "The SIM in this phone has the number."
  static let retrieved = "This phone’s number"
  static let retrievedWhat =
    "Your operator gave this number for the SIM that is set for mobile data. An app asks whether it is the right one."
  static let notVerified = "Not verified"
  static let notVerifiedWhat =
    "The SIM for mobile data has another number. If this phone has two SIMs, the other one may own this number: switch mobile data to it and try again."
  static let cancelled = "Cancelled"
  static let cancelledWhat = "It was ended, and the network was released."

  // One card per fallback.
  static let mobileDataNeeded = "Mobile data is needed"
  static let mobileDataNeededWhat = "Turn on mobile data for this app, then try again. Wi-Fi can stay on."
  static let retryLater = "Try again in a moment"
  static let retryLaterWhat = "Something on the way did not answer. The same call may succeed later."
  static let anotherChannel = "Verify in another way"
  static let anotherChannelWhat =
    "It cannot be done silently on this phone, and trying again will not help. An app sends a code by SMS now."
  static let fixIntegration = "For the developer"
  static let fixIntegrationWhat =
    "The app, its settings or its backend must be corrected. Whoever uses the app can do nothing about it."

  static let openSettings = "Open Settings"
  static let tryAgain = "Try again"
  static let useSms = "Use SMS instead"
  static let useSmsWhat =
    "Here an app sends a code by SMS to the number that the user has typed, and asks for it: the way it had before silent verification, and keeps for phones without it. This sample ends here, since it has no SMS service."
  static let shareReport = "Share a report"
  static let ok = "OK"

  static let trace = "Trace"
  static let traceWhat = "Safe to share: it holds no number, code, cookie or query."
  static let share = "Share"
  static let shareTrace = "Share the trace"
  static let traceTable = "The trace as a table: every request with its times in milliseconds"
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
    return "Request \(hop.index) to \(hop.host)\(cleartext), answered \(status(hop)), \(hop.tookMs) milliseconds"
  }

  static func status(_ hop: Hop) -> String { hop.status.map(String.init) ?? hopNoAnswer }
}
