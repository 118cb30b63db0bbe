#if canImport(Network)
  import Dispatch
  import Network

  /// Brings the cellular network up beside Wi-Fi, with Network.framework. The app's other traffic stays where it is.
  ///
  /// It does not report the operator (``NetworkEvents/operatedBy(mccMNC:)``): Apple systems have no public API for the SIM's MCC and MNC,
  /// since `CTCarrier` returns placeholders from iOS 16.4 on. The verifier remembers hosts per interface instead.
  ///
  /// Give each verifier its own. ``NumberVerifier/init(backend:configure:)`` makes one.
  public actor AppleCellularProvider: CellularProvider {
    private let host: String
    private let waitMs: Int
    private var hold: CellularHold?

    /// A provider.
    ///
    /// - Parameters:
    ///   - host: the host of the connection that keeps the network awake, such as the backend's. Its name is looked up over the cellular
    ///     network; nothing is sent to it.
    ///   - waitMs: how many milliseconds to wait for a network that is not there yet; a sleeping radio takes 1 to 3 seconds. The error says
    ///     then what is known. The verifier's own limit (`deadlines.acquireMs`) holds beside it.
    public init(host: String, waitMs: Int = 5_000) {
      self.host = host
      self.waitMs = waitMs
    }

    /// Brings the network up. Answers at once where mobile data is off for the app, or a VPN that it has to use is not there.
    ///
    /// - Throws: ``CellularError``: ``CellularCause/dataOff``, ``CellularCause/vpn``, ``CellularCause/noInterface``,
    ///   ``CellularCause/interfaceDown``, ``CellularCause/timeout``; in Apple's simulator always ``CellularCause/simulator``.
    public func acquire(events: NetworkEvents) async throws -> NetworkBinding {
      if Environment.isSimulator { throw CellularError(.simulator) }
      let hold = CellularHold(host: host, waitMs: waitMs, events: events)
      self.hold = hold
      return .appleInterface(index: try await hold.acquire())
    }

    /// Lets the network go. Does nothing if ``acquire(events:)`` did not acquire it.
    public func release() async {
      await hold?.release()
      hold = nil
    }

    /// Whether a verification could run now; sends nothing.
    public nonisolated func status() async -> CellularStatus {
      if Environment.isSimulator { return .unavailable(.simulator) }
      async let isOnWiFi = firstPath(of: { NWPathMonitor() }, { $0.usesInterfaceType(.wifi) })
      guard let cellular = await firstPath(of: { NWPathMonitor(requiredInterfaceType: .cellular) }, { CellularPath($0) }) else {
        return .unavailable(.timeout)
      }
      return CellularStatus(cellular: cellular, isOnWiFi: await isOnWiFi ?? false)
    }
  }

  /// What a monitor says first: `currentPath` says nothing before. `nil` where the task is cancelled.
  private func firstPath<Word: Sendable>(
    of make: () -> NWPathMonitor, _ word: @escaping @Sendable (NWPath) -> Word
  ) async -> Word? {
    let (words, continuation) = AsyncStream.makeStream(of: Word.self)
    let monitor = make()
    defer { monitor.cancel() }
    monitor.pathUpdateHandler = { continuation.yield(word($0)) }
    monitor.start(queue: DispatchQueue(label: "number-verify.status"))
    return await words.first { _ in true }
  }

  /// Whatever network the system chooses: for development, and never in a release, since ``NumberVerifier/Configuration`` refuses it there.
  struct AnyNetwork: CellularProvider {
    func acquire(events: NetworkEvents) -> NetworkBinding { .unbound }

    func release() {}

    func status() -> CellularStatus { .ready }
  }
#endif
