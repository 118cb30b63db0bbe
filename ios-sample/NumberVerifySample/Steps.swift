import NumberVerify

/// The four steps of one verification or retrieval and the hosts that responded, for the list on
/// the screen. Durations are in milliseconds.
struct Steps: Equatable, Sendable {
  enum State: Equatable, Sendable {
    case waiting
    /// `sinceMs`: when the step started, relative to the start of the verification.
    case running(sinceMs: Int)
    case done(tookMs: Int)
    case failed
    case stopped
  }

  private(set) var hops: [Hop] = []
  private(set) var totalMs: Int?
  /// Whether it takes longer than `slowAfterMs`.
  private(set) var isSlow = false
  private var states: [Step: State] = [:]

  subscript(step: Step) -> State { states[step] ?? .waiting }

  /// The last of the running steps.
  var current: Step? {
    Step.allCases.last { step in
      if case .running = self[step] { true } else { false }
    }
  }

  func after(_ progress: NumberVerifier.Progress) -> Steps {
    var next = self
    switch progress {
    case .stepBegan(let step, let atMs): next.states[step] = .running(sinceMs: atMs)
    case .stepEnded(let step, let atMs): next.states[step] = .done(tookMs: atMs - startMs(of: step, default: atMs))
    case .hopAnswered(let hop, _): next.hops.append(hop)
    case .slow: next.isSlow = true
    case .done(let verification): next.totalMs = verification.trace.totalMs
    case .retrieved(let number): next.totalMs = number.trace.totalMs
    }
    return next
  }

  /// The state after the end without a result: `failed` is the step that failed; other running
  /// steps are stopped.
  func ended(failing failed: Step?) -> Steps {
    var next = self
    for (step, state) in states {
      if case .running = state { next.states[step] = .stopped }
    }
    if let failed { next.states[failed] = .failed }
    return next
  }

  private func startMs(of step: Step, default fallback: Int) -> Int {
    if case .running(let sinceMs) = self[step] { sinceMs } else { fallback }
  }
}

extension Hop {
  /// Whether the request used plain http, where operators insert the subscriber's identity.
  var isCleartext: Bool { scheme == "http" }

  /// From the DNS lookup to the end of the response headers, in milliseconds.
  var tookMs: Int { [dnsMs, connectMs, tlsMs, firstByteMs].compactMap { $0 }.reduce(0, +) }
}
