/// When the cellular network is there, when it will not come, and when it is let go: the decisions of one acquire and its release, without a
/// clock, a thread or Network.framework. Events go in, effects come out; ``CellularHold`` carries them out.
///
/// Whatever the order of events: it answers once, and it stops once, where it has started.
struct CellularState {
  /// What happened.
  enum Event: Hashable {
    /// The network is wanted.
    case begin
    /// The monitor's word on the cellular path: its first, or a change.
    case path(CellularPath)
    /// The connection that wakes the network cannot go on for now.
    case connectionWaits
    /// That connection is over.
    case connectionFailed
    /// It was waited for long enough.
    case deadline
    /// Nobody waits for the answer any more.
    case cancelled
    /// The network is not needed any more.
    case released
  }

  /// What to do now, in this order.
  enum Effect: Hashable {
    /// Start the monitor, the connection and the deadline.
    case start
    /// Answer whoever waits.
    case answer(Answer)
    /// Stop the monitor and the connection.
    case stop
  }

  enum Answer: Hashable {
    /// Sockets are bound to the interface with this index.
    case interface(UInt32)
    case unavailable(CellularCause)
    case cancelled
  }

  private enum Phase {
    case idle
    /// With what is known so far about why the network is not there.
    case waiting(CellularCause)
    case held
    case over
  }

  private var phase = Phase.idle

  mutating func handle(_ event: Event) -> [Effect] {
    switch (phase, event) {
    case (.idle, .begin):
      phase = .waiting(.timeout)
      return [.start]
    case (.idle, .cancelled), (.idle, .released):
      phase = .over
      return []
    case (.over, .begin):
      return [.answer(.cancelled)]

    case (.waiting, .path(.usable(let interface))):
      phase = .held
      return [.answer(.interface(interface))]
    case (.waiting, .path(.refused(let reason))):
      return end(.unavailable(reason))
    case (.waiting, .path(.notYet(let reason))):
      phase = .waiting(reason)
      return []
    case (.waiting(.timeout), .connectionFailed):
      phase = .waiting(.interfaceDown)
      return []
    case (.waiting(let reason), .deadline):
      return end(.unavailable(reason))
    case (.waiting, .cancelled), (.waiting, .released):
      return end(.cancelled)

    case (.held, .released):
      phase = .over
      return [.stop]

    // A connection that waits is the network waking up. In use, verifications keep the interface that they began with: where it is lost,
    // their own connections fail. What comes after the end was on its way before it.
    case (.idle, _), (.waiting, _), (.held, _), (.over, _):
      return []
    }
  }

  private mutating func end(_ answer: Answer) -> [Effect] {
    phase = .over
    return [.stop, .answer(answer)]
  }
}

/// The cellular path in words that decide.
enum CellularPath: Hashable {
  /// It is there, or asleep and wakes when it is used. The index of its interface.
  case usable(interface: UInt32)
  /// It is not there, and may come.
  case notYet(CellularCause)
  /// It will not come before the user or somebody else changes a setting.
  case refused(CellularCause)
}

extension CellularStatus {
  init(cellular: CellularPath, isOnWiFi: Bool) {
    self =
      switch cellular {
      case .usable: isOnWiFi ? .wifiActive : .ready
      case .notYet(let reason), .refused(let reason): .unavailable(reason)
      }
  }
}
