#if canImport(Network)
  import Dispatch
  import Network

  /// Executes the effects of ``CellularState`` for one acquire and its release. Everything runs on
  /// one serial queue, which also receives the callbacks of the monitor and the connection, so no
  /// lock is needed.
  final class CellularHold: @unchecked Sendable {
    private let queue = DispatchQueue(label: "number-verify.cellular")
    private let monitor = NWPathMonitor(requiredInterfaceType: .cellular)
    private let host: NWEndpoint.Host
    private var connection: NWConnection
    private let waitMs: Int
    private let events: NetworkEvents
    private var state = CellularState()
    private var continuation: CheckedContinuation<UInt32, any Error>?

    init(host: String, waitMs: Int, events: NetworkEvents) {
      self.host = NWEndpoint.Host(host)
      connection = Self.connection(self.host)
      self.waitMs = waitMs
      self.events = events
    }

    /// A socket of the core does not activate the network; an `NWConnection` does, and keeps it
    /// active. No data is sent on it.
    private static func connection(_ host: NWEndpoint.Host) -> NWConnection {
      let parameters = NWParameters.udp
      parameters.requiredInterfaceType = .cellular
      parameters.preferNoProxies = true
      return NWConnection(host: host, port: 443, using: parameters)
    }

    func acquire() async throws -> UInt32 {
      try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { continuation in
          queue.async {
            self.continuation = continuation
            self.handle(.begin)
          }
        }
      } onCancel: {
        queue.async { self.handle(.cancelled) }
      }
    }

    func release() async {
      await withCheckedContinuation { continuation in
        queue.async {
          self.handle(.released)
          continuation.resume()
        }
      }
    }

    private func handle(_ event: CellularState.Event) {
      for effect in state.handle(event) {
        switch effect {
        case .start: start()
        case .resume(let outcome): resume(outcome)
        case .restartConnection: connection.restart()
        case .replaceConnection: replaceConnection()
        case .reportLoss(let reason): events.lost(reason)
        case .stop: stop()
        }
      }
    }

    private func start() {
      monitor.pathUpdateHandler = { [weak self] in self?.handle(.path(CellularPath($0))) }
      monitor.start(queue: queue)
      startConnection()
      queue.asyncAfter(deadline: .now() + .milliseconds(waitMs)) { [weak self] in self?.handle(.deadline) }
    }

    private func startConnection() {
      connection.stateUpdateHandler = { @Sendable [weak self] state in self?.connectionChanged(state) }
      connection.start(queue: queue)
    }

    private func connectionChanged(_ state: NWConnection.State) {
      switch state {
      case .ready:
        handle(.connectionReady)
        if let path = connection.currentPath { handle(.connectionPath(CellularPath(path))) }
      case .waiting: handle(.connectionWaiting)
      case .failed: handle(.connectionFailed)
      default: break
      }
    }

    private func replaceConnection() {
      connection.cancel()
      connection = Self.connection(host)
      startConnection()
    }

    private func stop() {
      monitor.cancel()
      connection.cancel()
    }

    private func resume(_ outcome: CellularState.Outcome) {
      switch outcome {
      case .interface(let index): continuation?.resume(returning: index)
      case .unavailable(let reason): continuation?.resume(throwing: CellularError(reason))
      case .cancelled: continuation?.resume(throwing: CancellationError())
      }
      continuation = nil
    }
  }

  extension CellularPath {
    init(_ path: NWPath) {
      let interfaces = path.availableInterfaces.filter { $0.type == .cellular }.map { UInt32(clamping: $0.index) }
      switch path.status {
      case .requiresConnection:
        self = .dormant
      case .satisfied:
        self = interfaces.first.map { .usable(interface: $0, others: Array(interfaces.dropFirst())) } ?? .notYet(.noInterface)
      case .unsatisfied:
        self = Self.unsatisfied(path.unsatisfiedReason)
      @unknown default:
        self = .notYet(.noInterface)
      }
    }

    private static func unsatisfied(_ reason: NWPath.UnsatisfiedReason) -> Self {
      if #available(iOS 17, macOS 14, *), reason == .vpnInactive { return .refused(.vpn) }
      return switch reason {
      case .cellularDenied: .refused(.dataOff)
      default: .notYet(.noInterface)
      }
    }
  }
#endif
