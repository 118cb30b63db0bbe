import Testing

@testable import NumberVerify

/// The state machine of the cellular network on Apple platforms, without a network.
struct CellularStateTests {
  private typealias Event = CellularState.Event
  private typealias Effect = CellularState.Effect

  private static let events: [Event] = [
    .begin, .path(.usable(interface: 7)), .path(.usable(interface: 8)), .path(.dormant), .path(.notYet(.noInterface)),
    .path(.refused(.dataOff)), .connectionPath(.usable(interface: 8)), .connectionWaiting, .connectionReady,
    .connectionFailed, .deadline, .cancelled, .released,
  ]

  @Test(
    arguments: [
      ([.begin, .path(.usable(interface: 7))], .interface(7)),
      // Idle, or not available yet.
      ([.begin, .path(.notYet(.noInterface)), .connectionWaiting, .path(.usable(interface: 7))], .interface(7)),
      ([.begin, .connectionWaiting, .connectionFailed, .path(.usable(interface: 7))], .interface(7)),
      ([.begin, .path(.dormant), .path(.usable(interface: 7))], .interface(7)),
      ([.begin, .path(.dormant), .connectionPath(.usable(interface: 7))], .interface(7)),
      // Blocked by a setting.
      ([.begin, .path(.refused(.dataOff))], .unavailable(.dataOff)),
      ([.begin, .path(.notYet(.noInterface)), .path(.refused(.vpn))], .unavailable(.vpn)),
      // Timed out, with the last known cause.
      ([.begin, .deadline], .unavailable(.timeout)),
      ([.begin, .connectionWaiting, .deadline], .unavailable(.timeout)),
      ([.begin, .connectionFailed, .deadline], .unavailable(.interfaceDown)),
      ([.begin, .path(.notYet(.noInterface)), .path(.dormant), .deadline], .unavailable(.interfaceDown)),
      ([.begin, .path(.notYet(.noInterface)), .connectionFailed, .deadline], .unavailable(.noInterface)),
      // Cancelled or released.
      ([.begin, .cancelled], .cancelled),
      ([.begin, .released], .cancelled),
      ([.cancelled, .begin], .cancelled),
      ([.released, .begin], .cancelled),
    ] as [([CellularState.Event], CellularState.Outcome)])
  func acquireIsResumedWithTheOutcome(events: [CellularState.Event], outcome: CellularState.Outcome) {
    #expect(effects(of: events).compactMap { if case .resume(let outcome) = $0 { outcome } else { nil } } == [outcome])
  }

  @Test(
    arguments: [.connectionWaiting, .connectionReady, .path(.dormant), .path(.notYet(.noInterface)), .connectionFailed]
      as [CellularState.Event])
  func transientEventDoesNotEndTheAcquire(event: CellularState.Event) {
    #expect(effects(of: [.begin, event]) == [.start])
  }

  @Test(
    arguments: [
      (.path(.refused(.dataOff)), .dataOff), (.path(.notYet(.noInterface)), .interfaceDown), (.path(.usable(interface: 8)), .interfaceDown),
    ] as [(CellularState.Event, CellularCause)])
  func lossInUseIsReportedOnce(event: CellularState.Event, reason: CellularCause) {
    let used: [Event] = [
      .begin, .path(.usable(interface: 7)), .path(.dormant), .path(.usable(interface: 7)), .path(.usable(interface: 8, others: [7])),
      .connectionPath(.usable(interface: 8)), .connectionPath(.notYet(.noInterface)), .deadline, .cancelled,
    ]
    #expect(effects(of: used) == [.start, .resume(.interface(7))])
    let lost = used + [event, event, .path(.usable(interface: 7)), .path(.refused(.vpn)), .released, event]
    #expect(effects(of: lost) == [.start, .resume(.interface(7)), .reportLoss(reason), .stop])
  }

  @Test func connectionIsRestartedOrReplacedWhileTheNetworkIsInUse() {
    let available = Event.path(.usable(interface: 7))
    #expect(effects(of: [.begin, .connectionWaiting, available, available]) == [.start, .resume(.interface(7)), .restartConnection])
    #expect(effects(of: [.begin, available, .connectionWaiting, available]) == [.start, .resume(.interface(7)), .restartConnection])
    #expect(effects(of: [.begin, .connectionWaiting, .connectionReady, available]) == [.start, .resume(.interface(7))], "ready")
    #expect(
      effects(of: [.begin, available, .connectionFailed, .connectionFailed]) == [.start, .resume(.interface(7)), .replaceConnection])
  }

  /// All sequences of up to five events with at most one acquire, as the provider sends them, each
  /// followed by a release.
  @Test func everyEventOrderResumesOnceAndStopsOnce() {
    var orders = 0
    func visit(_ state: CellularState, _ log: Log, _ depth: Int) {
      orders += 1
      expectValid(log)
      var released = state
      var atEnd = log
      atEnd.take(.released, released.handle(.released))
      expectValid(atEnd)
      if log.began { expectFinished(atEnd) }
      if depth == 0 { return }
      for event in Self.events where !(event == .begin && log.began) {
        var next = state
        var nextLog = log
        nextLog.take(event, next.handle(event))
        visit(next, nextLog, depth - 1)
      }
    }
    visit(CellularState(), Log(), 5)
    #expect(orders == 382_502)
  }

  /// The events and effects so far.
  private struct Log {
    var began = false
    var starts = 0
    var stops = 0
    var resumes = 0
    var failed = false
    /// The state when a loss was reported.
    var losses: [(isInUse: Bool, stops: Int)] = []
    /// The numbers of starts and stops when the connection was restarted or replaced.
    var holds: [(starts: Int, stops: Int)] = []
    var order: [Effect] = []

    mutating func take(_ event: Event, _ effects: [Effect]) {
      if event == .begin { began = true }
      order += effects
      for effect in effects {
        switch effect {
        case .start: starts += 1
        case .stop: stops += 1
        case .reportLoss: losses.append((resumes == 1 && !failed, stops))
        case .restartConnection, .replaceConnection: holds.append((starts, stops))
        case .resume(.interface): resumes += 1
        case .resume: (resumes, failed) = (resumes + 1, true)
        }
      }
    }
  }

  private func expectValid(_ log: Log) {
    let isValid =
      log.starts <= 1 && log.stops <= log.starts && log.resumes <= 1 && (log.resumes == 0 || log.began)
      && log.losses.count <= 1 && log.losses.allSatisfy { $0.isInUse && $0.stops == 0 }
      && log.holds.allSatisfy { $0.starts == 1 && $0.stops == 0 }
      // A failed acquire has stopped already.
      && (!log.failed || log.stops == log.starts)
      && (log.order.firstIndex(of: .stop).map { log.order.firstIndex(of: .start) ?? $0 < $0 } ?? true)
    if !isValid { Issue.record("\(log.order)") }
  }

  private func expectFinished(_ log: Log) {
    if log.resumes != 1 || log.stops != log.starts { Issue.record("after the release: \(log.order)") }
  }

  private func effects(of events: [Event]) -> [Effect] {
    var state = CellularState()
    return events.flatMap { state.handle($0) }
  }

  @Test func statusOfEachPath() {
    #expect(CellularStatus(cellular: .usable(interface: 7), isOnWiFi: true) == .wifiActive)
    #expect(CellularStatus(cellular: .usable(interface: 7), isOnWiFi: false) == .ready)
    #expect(CellularStatus(cellular: .dormant, isOnWiFi: true) == .wifiActive)
    #expect(CellularStatus(cellular: .notYet(.noInterface), isOnWiFi: true) == .unavailable(.noInterface))
    #expect(CellularStatus(cellular: .refused(.dataOff), isOnWiFi: false) == .unavailable(.dataOff))
  }
}
