/// State machine of one acquire and its release: decides when the cellular network is available,
/// when it is not going to be, and when it is released. It uses no clock, no thread and no
/// Network.framework. It maps events to effects; ``CellularHold`` executes them.
///
/// For any order of events, it resumes the acquire once, stops once if it has started, and reports
/// a loss at most once, only of a network in use.
struct CellularState {
  /// An input.
  enum Event: Hashable {
    /// The acquire starts.
    case begin
    /// A path update from the monitor.
    case path(CellularPath)
    /// The path of the connection when it is ready: an idle network was activated, which the
    /// connection detects before the monitor.
    case connectionPath(CellularPath)
    /// The connection that activates the network is in the state `waiting`.
    case connectionWaiting
    /// That connection is ready.
    case connectionReady
    /// That connection has failed.
    case connectionFailed
    /// The acquire's timeout has expired.
    case deadline
    /// The acquire was cancelled.
    case cancelled
    /// The network was released.
    case released
  }

  /// An action; to be executed in the order returned.
  enum Effect: Hashable {
    /// Start the monitor, the connection and the deadline.
    case start
    /// Resume the suspended acquire.
    case resume(Outcome)
    /// Restart the waiting connection.
    case restartConnection
    /// Create and start a connection that replaces the failed one.
    case replaceConnection
    /// Report that the network in use was lost.
    case reportLoss(CellularCause)
    /// Stop the monitor and the connection.
    case stop
  }

  enum Outcome: Hashable {
    /// Sockets are bound to the interface with this index.
    case interface(UInt32)
    case unavailable(CellularCause)
    case cancelled
  }

  private enum Phase {
    case idle
    /// With the cause known so far for the network being unavailable.
    case waiting(CellularCause)
    /// In use; the index of its interface.
    case held(UInt32)
    case lost
    case finished
  }

  private var phase = Phase.idle
  private var isConnectionWaiting = false
  private var wasReplaced = false

  mutating func handle(_ event: Event) -> [Effect] {
    switch (phase, event) {
    case (.idle, .begin):
      phase = .waiting(.timeout)
      return [.start]
    case (.idle, .cancelled), (.idle, .released):
      phase = .finished
      return []
    case (.finished, .begin):
      return [.resume(.cancelled)]

    case (.waiting, .path(.usable(let interface, _))), (.waiting, .connectionPath(.usable(let interface, _))):
      phase = .held(interface)
      return [.resume(.interface(interface))] + restart()
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

    // While the network is in use, the connection keeps it active. A verification stays on the
    // interface it started with.
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
      phase = .finished
      return [.stop]

    case (.waiting, .connectionWaiting), (.held, .connectionWaiting):
      isConnectionWaiting = true
      return []
    case (.waiting, .connectionReady), (.held, .connectionReady):
      isConnectionWaiting = false
      return []

    // A network in use whose path is dormant may become active again. Events after the end were
    // already in flight.
    case (.idle, _), (.waiting, _), (.held, _), (.lost, _), (.finished, _):
      return []
    }
  }

  /// A connection that waits for DNS or for the network may succeed once the network is available.
  private mutating func restart() -> [Effect] {
    guard isConnectionWaiting else { return [] }
    isConnectionWaiting = false
    return [.restartConnection]
  }

  private mutating func lose(_ reason: CellularCause) -> [Effect] {
    phase = .lost
    return [.reportLoss(reason)]
  }

  private mutating func end(_ outcome: Outcome) -> [Effect] {
    phase = .finished
    return [.stop, .resume(outcome)]
  }
}

/// The cellular path, reduced to the distinctions that ``CellularState`` needs.
enum CellularPath: Hashable {
  /// Available. The indices of its preferred interface and of the others.
  case usable(interface: UInt32, others: [UInt32] = [])
  /// Idle (`requiresConnection`). An `NWConnection` activates it; a socket bound to its interface
  /// does not.
  case dormant
  /// Unavailable for now.
  case notYet(CellularCause)
  /// Unavailable until a setting changes.
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
