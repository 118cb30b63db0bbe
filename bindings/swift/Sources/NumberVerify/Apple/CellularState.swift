/// When the cellular network is there, when it will not come, and when it is let go: the decisions of one acquire and its release, without a
/// clock, a thread or Network.framework. Events go in, effects come out; ``CellularHold`` carries them out.
///
/// Whatever the order of events: it answers once, it stops once if it has started, and it reports a loss once at most, of a network that is
/// in use.
struct CellularState {
  /// What happened.
  enum Event: Hashable {
    /// The network is wanted.
    case begin
    /// The cellular path, as the monitor reports it.
    case path(CellularPath)
    /// The path of the connection, once it is ready: a sleeping network has come up, which the connection knows before the monitor.
    case connectionPath(CellularPath)
    /// The connection that wakes the network cannot go on for now.
    case connectionWaits
    /// That connection has come up.
    case connectionReady
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
    /// Let the connection try again.
    case restartConnection
    /// Make and start another connection in place of the one that is over.
    case replaceConnection
    /// Report that the network in use was lost.
    case reportLoss(CellularCause)
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
    /// In use, by the index of its interface.
    case held(UInt32)
    case lost
    case over
  }

  private var phase = Phase.idle
  private var connectionWaits = false
  private var wasReplaced = false

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

    case (.waiting, .path(.usable(let interface, _))), (.waiting, .connectionPath(.usable(let interface, _))):
      phase = .held(interface)
      return [.answer(.interface(interface))] + restart()
    case (.waiting, .path(.dormant)):
      phase = .waiting(.interfaceDown)
      return []
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

    // While the network is in use, something has to hold it. Verifications keep the interface that they began with.
    case (.held(let used), .path(.usable(let interface, let others))):
      return used == interface || others.contains(used) ? restart() : lose(.interfaceDown)
    case (.held, .path(.notYet)):
      return lose(.interfaceDown)
    case (.held, .path(.refused(let reason))):
      return lose(reason)
    case (.held, .connectionFailed) where !wasReplaced:
      wasReplaced = true
      return [.replaceConnection]
    case (.held, .released), (.lost, .released):
      phase = .over
      return [.stop]

    case (.waiting, .connectionWaits), (.held, .connectionWaits):
      connectionWaits = true
      return []
    case (.waiting, .connectionReady), (.held, .connectionReady):
      connectionWaits = false
      return []

    // A path that sleeps in use may be on its way up again. What comes after the end was on its way before it.
    case (.idle, _), (.waiting, _), (.held, _), (.lost, _), (.over, _):
      return []
    }
  }

  /// A connection that waits, for its name or for the network, may go on where the network is there.
  private mutating func restart() -> [Effect] {
    guard connectionWaits else { return [] }
    connectionWaits = false
    return [.restartConnection]
  }

  private mutating func lose(_ reason: CellularCause) -> [Effect] {
    phase = .lost
    return [.reportLoss(reason)]
  }

  private mutating func end(_ answer: Answer) -> [Effect] {
    phase = .over
    return [.stop, .answer(answer)]
  }
}

/// The cellular path in words that decide.
enum CellularPath: Hashable {
  /// It is there. The index of its preferred interface, and those of further ones.
  case usable(interface: UInt32, others: [UInt32] = [])
  /// It is asleep. A connection of Network.framework wakes it; a socket that is bound to its interface does not.
  case dormant
  /// It is not there, and may come.
  case notYet(CellularCause)
  /// It will not come before the user or somebody else changes a setting.
  case refused(CellularCause)
}

extension CellularStatus {
  init(cellular: CellularPath, isOnWiFi: Bool) {
    self =
      switch cellular {
      case .usable, .dormant: isOnWiFi ? .wifiActive : .ready
      case .notYet(let reason), .refused(let reason): .unavailable(reason)
      }
  }
}
