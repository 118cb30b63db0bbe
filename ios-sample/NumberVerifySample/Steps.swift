import NumberVerify

/// The four steps of one verification or retrieval and the hosts that answered, as the screen lists them. Times are in milliseconds.
struct Steps: Equatable, Sendable {
  enum State: Equatable, Sendable {
    case waiting
    /// `sinceMs`: since the beginning.
    case running(sinceMs: Int)
    case done(tookMs: Int)
    case failed
    case stopped
  }

  private(set) var hops: [Hop] = []
  private(set) var totalMs: Int?
  /// It took longer than usual.
  private(set) var isSlow = false
  private var states: [Step: State] = [:]

  subscript(step: Step) -> State { states[step] ?? .waiting }

  /// The last one of those that run.
  var current: Step? {
    Step.allCases.last { step in
      if case .running = self[step] { true } else { false }
    }
  }

  func after(_ progress: NumberVerifier.Progress) -> Steps {
    var next = self
    switch progress {
    case .stepBegan(let step, let atMs): next.states[step] = .running(sinceMs: atMs)
    case .stepEnded(let step, let atMs): next.states[step] = .done(tookMs: atMs - began(step, otherwise: atMs))
    case .hopAnswered(let hop, _): next.hops.append(hop)
    case .slow: next.isSlow = true
    case .done(let verification): next.totalMs = verification.trace.totalMs
    case .retrieved(let number): next.totalMs = number.trace.totalMs
    }
    return next
  }

  /// The end without a result: the step to blame has failed, and what else ran was stopped with it.
  func ended(failing failed: Step?) -> Steps {
    var next = self
    for (step, state) in states {
      if case .running = state { next.states[step] = .stopped }
    }
    if let failed { next.states[failed] = .failed }
    return next
  }

  private func began(_ step: Step, otherwise: Int) -> Int {
    if case .running(let sinceMs) = self[step] { sinceMs } else { otherwise }
  }
}

extension Hop {
  /// Whether the request went over plain http, where operators insert the subscriber's identity.
  var isCleartext: Bool { scheme == "http" }

  /// From the name to the complete headers of the answer, in milliseconds.
  var tookMs: Int { [dnsMs, connectMs, tlsMs, firstByteMs].compactMap { $0 }.reduce(0, +) }
}
