import Testing

@testable import NumberVerify

/// When the cellular network of an Apple system counts as there, and what becomes of it: the decisions, without a network.
struct CellularStateTests {
  private typealias Event = CellularState.Event
  private typealias Effect = CellularState.Effect

  private static let events: [Event] = [
    .begin, .path(.usable(interface: 7)), .path(.usable(interface: 8)), .path(.dormant), .path(.notYet(.noInterface)),
    .path(.refused(.dataOff)), .connectionPath(.usable(interface: 8)), .connectionWaits, .connectionReady,
    .connectionFailed, .deadline, .cancelled, .released,
  ]

  @Test(
    arguments: [
      ([.begin, .path(.usable(interface: 7))], .interface(7)),
      // Asleep, or not there yet.
      ([.begin, .path(.notYet(.noInterface)), .connectionWaits, .path(.usable(interface: 7))], .interface(7)),
      ([.begin, .connectionWaits, .connectionFailed, .path(.usable(interface: 7))], .interface(7)),
      ([.begin, .path(.dormant), .path(.usable(interface: 7))], .interface(7)),
      ([.begin, .path(.dormant), .connectionPath(.usable(interface: 7))], .interface(7)),
      // A setting says no.
      ([.begin, .path(.refused(.dataOff))], .unavailable(.dataOff)),
      ([.begin, .path(.notYet(.noInterface)), .path(.refused(.vpn))], .unavailable(.vpn)),
      // It was waited for long enough: what is known is said.
      ([.begin, .deadline], .unavailable(.timeout)),
      ([.begin, .connectionWaits, .deadline], .unavailable(.timeout)),
      ([.begin, .connectionFailed, .deadline], .unavailable(.interfaceDown)),
      ([.begin, .path(.notYet(.noInterface)), .path(.dormant), .deadline], .unavailable(.interfaceDown)),
      ([.begin, .path(.notYet(.noInterface)), .connectionFailed, .deadline], .unavailable(.noInterface)),
      // Nobody waits any more.
      ([.begin, .cancelled], .cancelled),
      ([.begin, .released], .cancelled),
      ([.cancelled, .begin], .cancelled),
      ([.released, .begin], .cancelled),
    ] as [([CellularState.Event], CellularState.Answer)])
  func theAnswer(events: [CellularState.Event], answer: CellularState.Answer) {
    #expect(effects(of: events).compactMap { if case .answer(let answer) = $0 { answer } else { nil } } == [answer])
  }

  @Test(
    arguments: [.connectionWaits, .connectionReady, .path(.dormant), .path(.notYet(.noInterface)), .connectionFailed]
      as [CellularState.Event])
  func whatIsNoFailureBeforeTheDeadline(event: CellularState.Event) {
    #expect(effects(of: [.begin, event]) == [.start])
  }

  @Test(
    arguments: [
      (.path(.refused(.dataOff)), .dataOff), (.path(.notYet(.noInterface)), .interfaceDown), (.path(.usable(interface: 8)), .interfaceDown),
    ] as [(CellularState.Event, CellularCause)])
  func aLossInUseIsReportedOnce(event: CellularState.Event, reason: CellularCause) {
    let used: [Event] = [
      .begin, .path(.usable(interface: 7)), .path(.dormant), .path(.usable(interface: 7)), .path(.usable(interface: 8, others: [7])),
      .connectionPath(.usable(interface: 8)), .connectionPath(.notYet(.noInterface)), .deadline, .cancelled,
    ]
    #expect(effects(of: used) == [.start, .answer(.interface(7))])
    let lost = used + [event, event, .path(.usable(interface: 7)), .path(.refused(.vpn)), .released, event]
    #expect(effects(of: lost) == [.start, .answer(.interface(7)), .reportLoss(reason), .stop])
  }

  @Test func whatHoldsTheNetworkIsStartedAgain() {
    let there = Event.path(.usable(interface: 7))
    #expect(effects(of: [.begin, .connectionWaits, there, there]) == [.start, .answer(.interface(7)), .restartConnection])
    #expect(effects(of: [.begin, there, .connectionWaits, there]) == [.start, .answer(.interface(7)), .restartConnection])
    #expect(effects(of: [.begin, .connectionWaits, .connectionReady, there]) == [.start, .answer(.interface(7))], "it goes on by itself")
    #expect(effects(of: [.begin, there, .connectionFailed, .connectionFailed]) == [.start, .answer(.interface(7)), .replaceConnection])
  }

  /// All orders of up to five events in which the network is wanted at most once, as the provider wants it, each with a release at its end.
  @Test func inEveryOrderItAnswersOnceAndStopsOnce() {
    var orders = 0
    func visit(_ state: CellularState, _ seen: Seen, _ depth: Int) {
      orders += 1
      expectSound(seen)
      var released = state
      var atEnd = seen
      atEnd.take(.released, released.handle(.released))
      expectSound(atEnd)
      if seen.began { expectOver(atEnd) }
      if depth == 0 { return }
      for event in Self.events where !(event == .begin && seen.began) {
        var next = state
        var nextSeen = seen
        nextSeen.take(event, next.handle(event))
        visit(next, nextSeen, depth - 1)
      }
    }
    visit(CellularState(), Seen(), 5)
    #expect(orders == 382_502)
  }

  /// What a driver has seen so far.
  private struct Seen {
    var began = false
    var starts = 0
    var stops = 0
    var answers = 0
    var failed = false
    /// What had been answered and stopped when a loss was reported.
    var losses: [(isInUse: Bool, stops: Int)] = []
    /// How often it had started and stopped when the connection was started again.
    var holds: [(starts: Int, stops: Int)] = []
    var order: [Effect] = []

    mutating func take(_ event: Event, _ effects: [Effect]) {
      if event == .begin { began = true }
      order += effects
      for effect in effects {
        switch effect {
        case .start: starts += 1
        case .stop: stops += 1
        case .reportLoss: losses.append((answers == 1 && !failed, stops))
        case .restartConnection, .replaceConnection: holds.append((starts, stops))
        case .answer(.interface): answers += 1
        case .answer: (answers, failed) = (answers + 1, true)
        }
      }
    }
  }

  private func expectSound(_ seen: Seen) {
    let isSound =
      seen.starts <= 1 && seen.stops <= seen.starts && seen.answers <= 1 && (seen.answers == 0 || seen.began)
      && seen.losses.count <= 1 && seen.losses.allSatisfy { $0.isInUse && $0.stops == 0 }
      && seen.holds.allSatisfy { $0.starts == 1 && $0.stops == 0 }
      // What failed has let the network go already.
      && (!seen.failed || seen.stops == seen.starts)
      && (seen.order.firstIndex(of: .stop).map { seen.order.firstIndex(of: .start) ?? $0 < $0 } ?? true)
    if !isSound { Issue.record("\(seen.order)") }
  }

  private func expectOver(_ seen: Seen) {
    if seen.answers != 1 || seen.stops != seen.starts { Issue.record("after the release: \(seen.order)") }
  }

  private func effects(of events: [Event]) -> [Effect] {
    var state = CellularState()
    return events.flatMap { state.handle($0) }
  }

  @Test func aStatusWithoutTraffic() {
    #expect(CellularStatus(cellular: .usable(interface: 7), isOnWiFi: true) == .wifiActive)
    #expect(CellularStatus(cellular: .usable(interface: 7), isOnWiFi: false) == .ready)
    #expect(CellularStatus(cellular: .dormant, isOnWiFi: true) == .wifiActive)
    #expect(CellularStatus(cellular: .notYet(.noInterface), isOnWiFi: true) == .unavailable(.noInterface))
    #expect(CellularStatus(cellular: .refused(.dataOff), isOnWiFi: false) == .unavailable(.dataOff))
  }
}
