#if canImport(Network)
  import Dispatch
  import Network

  /// Carries out what ``CellularState`` decides, for one acquire and its release. Everything happens on one queue, which the monitor and the
  /// connection report to as well; so nothing here needs a lock.
  final class CellularHold: @unchecked Sendable {
    private let queue = DispatchQueue(label: "number-verify.cellular")
    private let monitor = NWPathMonitor(requiredInterfaceType: .cellular)
    private let connection: NWConnection
    private let waitMs: Int
    private var state = CellularState()
    private var waiter: CheckedContinuation<UInt32, any Error>?

    init(host: String, waitMs: Int) {
      // A socket of the core's does not wake the network; a connection of Network.framework's does, and holds it. Nothing is sent on it.
      let parameters = NWParameters.udp
      parameters.requiredInterfaceType = .cellular
      connection = NWConnection(host: NWEndpoint.Host(host), port: 443, using: parameters)
      self.waitMs = waitMs
    }

    func acquire() async throws -> UInt32 {
      try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { continuation in
          queue.async {
            self.waiter = continuation
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
        case .answer(let answer): resume(answer)
        case .stop: stop()
        }
      }
    }

    private func start() {
      monitor.pathUpdateHandler = { [weak self] in self?.handle(.path(CellularPath($0))) }
      connection.stateUpdateHandler = { [weak self] state in
        switch state {
        case .waiting: self?.handle(.connectionWaits)
        case .failed: self?.handle(.connectionFailed)
        default: break
        }
      }
      monitor.start(queue: queue)
      connection.start(queue: queue)
      queue.asyncAfter(deadline: .now() + .milliseconds(waitMs)) { [weak self] in self?.handle(.deadline) }
    }

    private func stop() {
      monitor.cancel()
      connection.cancel()
    }

    private func resume(_ answer: CellularState.Answer) {
      switch answer {
      case .interface(let index): waiter?.resume(returning: index)
      case .unavailable(let reason): waiter?.resume(throwing: CellularError(reason))
      case .cancelled: waiter?.resume(throwing: CancellationError())
      }
      waiter = nil
    }
  }

  extension CellularPath {
    init(_ path: NWPath) {
      let interface = path.availableInterfaces.first { $0.type == .cellular }
      switch path.status {
      case .satisfied, .requiresConnection:
        self = interface.map { .usable(interface: UInt32(clamping: $0.index)) } ?? .notYet(.noInterface)
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
