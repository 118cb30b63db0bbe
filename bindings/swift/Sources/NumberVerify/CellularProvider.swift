// Access to the cellular network. The core binds each socket individually; other traffic of the app
// is not affected.

internal import NumberVerifyCore

/// Acquires and releases the cellular network with the platform's API. Use
/// ``AppleCellularProvider`` on Apple platforms; implement your own for tests or other connectivity
/// managers.
///
/// Every ``acquire(events:)`` is followed by exactly one ``release()``, also if it threw or was
/// cancelled. Concurrent verifications share one acquired network.
public protocol CellularProvider: Sendable {
  /// Acquires the cellular network. Return as soon as it is available. The verifier applies the
  /// timeout: it cancels the task of this call on timeout and when the verification is cancelled.
  /// May overlap a previous ``release()``.
  ///
  /// - Parameter events: receives the network's operator and its loss, until ``release()``.
  /// - Returns: how to bind sockets to the network.
  /// - Throws: ``CellularError`` if the network cannot be used. Any other error is reported as
  ///   ``CellularCause/unsupported``, also a `CancellationError` if the verification was not
  ///   cancelled.
  func acquire(events: NetworkEvents) async throws -> NetworkBinding

  /// Releases the network. Must finish within 5 seconds.
  func release() async

  /// Returns whether a verification could run now, without network traffic. Must finish within
  /// 2 seconds.
  func status() async -> CellularStatus
}

/// Receives events of an acquired network. Each ``CellularProvider/acquire(events:)`` gets a
/// separate instance. Thread-safe.
public struct NetworkEvents: Sendable {
  private let onLoss: @Sendable (CellularCause) -> Void
  private let onOperator: @Sendable (String) -> Void

  /// Creates events that call closures, to test a ``CellularProvider``.
  public init(
    onLoss: @escaping @Sendable (CellularCause) -> Void, onOperator: @escaping @Sendable (_ mccMNC: String) -> Void = { _ in }
  ) {
    self.onLoss = onLoss
    self.onOperator = onOperator
  }

  /// Reports the network's operator: the mobile country and network code of the SIM, 5 or 6 digits
  /// such as `310260` (ITU-T E.212). Call it before `acquire` returns, if the code is known. Only
  /// the first call has an effect; anything that is not such a code is ignored. The verifier then
  /// remembers the operator's hosts per operator rather than per network. The code is never written
  /// to a trace or log, or sent to a server.
  public func operatedBy(mccMNC: String) { onOperator(mccMNC) }

  /// Reports that the network was lost, blocked or replaced by another. Verifications that still
  /// need it fail immediately with ``VerifyError/Kind-swift.enum/cellularUnavailable(_:)`` and this
  /// cause, and the network is released. May be called at any time and from any thread; does not
  /// block. Only the first call between `acquire` and `release` has an effect.
  public func lost(_ reason: CellularCause) { onLoss(reason) }
}

/// How to bind sockets to an acquired network.
public enum NetworkBinding: Sendable, Hashable {
  /// Apple: the index of the `NWInterface`.
  case appleInterface(index: UInt32)
  /// Linux: the name of the interface, such as `wwan0`.
  case linuxInterface(name: String)
  /// No binding: the system's default network. For development only; rejected without
  /// ``NumberVerifier/Configuration/Development/anyNetwork``.
  case unbound
}

/// Whether a verification could run now.
public enum CellularStatus: Sendable, Hashable {
  /// The cellular network is available.
  case ready
  /// Wi-Fi is the default network; the cellular network will be acquired concurrently.
  case wifiActive
  /// Unavailable, with the cause.
  case unavailable(CellularCause)
}

/// Thrown by a ``CellularProvider`` if the network cannot be used.
public struct CellularError: Error, Sendable, Hashable {
  /// The cause.
  public let reason: CellularCause

  /// Creates an error with this cause.
  public init(_ reason: CellularCause) {
    self.reason = reason
  }
}

/// Adapts a ``CellularProvider`` to the core's protocol. The core may cancel `acquire` and call
/// `release` before the task of `acquire` has started: the provider then receives neither call.
final class CoreCellularProvider: NumberVerifyCore.CellularProvider {
  private let provider: any CellularProvider
  private let acquisition = Acquisition()

  init(_ provider: any CellularProvider) {
    self.provider = provider
  }

  func acquire(events: NumberVerifyCore.NetworkEvents) async throws -> NumberVerifyCore.NetworkBinding {
    do {
      try await acquisition.begin()
      let events = NetworkEvents(onLoss: { events.lost(reason: $0.core) }, onOperator: { events.operatedBy(mccMnc: $0) })
      return try await provider.acquire(events: events).core
    } catch let error as CellularError {
      throw NumberVerifyCore.CellularError.Unavailable(reason: error.reason.core)
    } catch {
      throw NumberVerifyCore.CellularError.Failed
    }
  }

  func release() async {
    if await acquisition.end() { await provider.release() }
  }

  func status() async -> NumberVerifyCore.CellularStatus { await provider.status().core }
}

/// Tracks whether the provider's `acquire` was called since its last `release`.
private actor Acquisition {
  private var hasBegun = false

  func begin() throws {
    try Task.checkCancellation()
    hasBegun = true
  }

  func end() -> Bool {
    defer { hasBegun = false }
    return hasBegun
  }
}
