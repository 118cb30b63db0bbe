#if canImport(Network)
  import Dispatch
  import Network

  /// Acquires the cellular network concurrently with Wi-Fi, using Network.framework. Other traffic
  /// of the app is not affected.
  ///
  /// It does not report the operator (``NetworkEvents/operatedBy(mccMNC:)``): Apple platforms have
  /// no public API for the SIM's MCC and MNC, because `CTCarrier` returns placeholders since iOS
  /// 16.4. The verifier remembers hosts per interface instead.
  ///
  /// Do not share an instance between verifiers. ``NumberVerifier/init(backend:configure:)``
  /// creates one.
  public actor AppleCellularProvider: CellularProvider {
    private let host: String
    private let waitMs: Int
    private var hold: CellularHold?

    /// Creates a provider.
    ///
    /// - Parameters:
    ///   - host: the host of the connection that keeps the network active, such as the backend's.
    ///     It is resolved over the cellular network; no data is sent to it.
    ///   - waitMs: how many milliseconds to wait for a network that is not available yet; an idle
    ///     radio takes 1 to 3 seconds. Then ``acquire(events:)`` throws with the cause known so
    ///     far. Defaults to 5,000. The verifier's timeout (`deadlines.acquireMs`) applies in
    ///     addition.
    public init(host: String, waitMs: Int = 5_000) {
      self.host = host
      self.waitMs = waitMs
    }

    /// Acquires the cellular network. Throws immediately if mobile data is off for the app, or if a
    /// VPN that it must use is not connected.
    ///
    /// - Throws: ``CellularError`` with ``CellularCause/dataOff``, ``CellularCause/vpn``,
    ///   ``CellularCause/noInterface``, ``CellularCause/interfaceDown`` or
    ///   ``CellularCause/timeout``; in Apple's simulator always ``CellularCause/simulator``.
    ///   `CancellationError` if the task was cancelled.
    public func acquire(events: NetworkEvents) async throws -> NetworkBinding {
      if Environment.isSimulator { throw CellularError(.simulator) }
      let hold = CellularHold(host: host, waitMs: waitMs, events: events)
      self.hold = hold
      return .appleInterface(index: try await hold.acquire())
    }

    /// Releases the network. No-op if ``acquire(events:)`` did not acquire it.
    public func release() async {
      await hold?.release()
      hold = nil
    }

    /// Returns whether a verification could run now. Causes no network traffic.
    public nonisolated func status() async -> CellularStatus {
      if Environment.isSimulator { return .unavailable(.simulator) }
      async let isOnWiFi = firstPath(of: { NWPathMonitor() }, { $0.usesInterfaceType(.wifi) })
      guard let cellular = await firstPath(of: { NWPathMonitor(requiredInterfaceType: .cellular) }, { CellularPath($0) }) else {
        return .unavailable(.timeout)
      }
      return CellularStatus(cellular: cellular, isOnWiFi: await isOnWiFi ?? false)
    }
  }

  /// The first path update of a monitor, transformed; `currentPath` is not valid before it. `nil`
  /// if the task is cancelled.
  private func firstPath<Value: Sendable>(
    of make: () -> NWPathMonitor, _ transform: @escaping @Sendable (NWPath) -> Value
  ) async -> Value? {
    let (values, continuation) = AsyncStream.makeStream(of: Value.self)
    let monitor = make()
    defer { monitor.cancel() }
    monitor.pathUpdateHandler = { continuation.yield(transform($0)) }
    monitor.start(queue: DispatchQueue(label: "number-verify.status"))
    return await values.first { _ in true }
  }

  /// Uses the system's default network. For development only: ``NumberVerifier/Configuration``
  /// rejects it in a release build.
  struct AnyNetwork: CellularProvider {
    func acquire(events: NetworkEvents) -> NetworkBinding { .unbound }

    func release() {}

    func status() -> CellularStatus { .ready }
  }
#endif
