// Who brings the cellular network up, and how a socket is bound to it. The core binds each socket; no other traffic of the app moves.

internal import NumberVerifyCore

/// Brings the cellular network up and lets it go, with the platform's own API. ``AppleCellularProvider`` is the one for Apple systems; an own
/// one is for tests, and for systems where something else knows the network.
///
/// Every ``acquire(events:)`` is followed by exactly one ``release()``, whatever its outcome, also when it was cancelled. Verifications that run at
/// the same time share one acquired network.
public protocol CellularProvider: Sendable {
  /// Acquires the cellular network and returns how to bind to it. Return as soon as it is there: the verifier has the timeout, and cancels
  /// the task of this call then, as it does when the verification is cancelled. May overlap a previous ``release()``.
  ///
  /// - Parameter events: receives whose network it is, and that it was lost, until ``release()``.
  /// - Throws: ``CellularError`` if the network cannot be used. Any other error is reported as ``CellularCause/unsupported``, also a
  ///   `CancellationError` of a verification that was not cancelled.
  func acquire(events: NetworkEvents) async throws -> NetworkBinding

  /// Lets the network go again. Has 5 seconds.
  func release() async

  /// Whether a verification could run now, without any traffic. Has 2 seconds.
  func status() async -> CellularStatus
}

/// Receives what happens to a network after ``CellularProvider/acquire(events:)``. Each acquire has its own.
public struct NetworkEvents: Sendable {
  private let onLoss: @Sendable (CellularCause) -> Void
  private let onOperator: @Sendable (String) -> Void

  /// Calls closures, in a test of a provider.
  public init(
    onLoss: @escaping @Sendable (CellularCause) -> Void, onOperator: @escaping @Sendable (_ mccMNC: String) -> Void = { _ in }
  ) {
    self.onLoss = onLoss
    self.onOperator = onOperator
  }

  /// The network is this operator's: the mobile country and network code of the SIM, 5 or 6 digits such as `310260` (ITU-T E.212). Call it
  /// before `acquire` returns, if the code is known; only the first call has an effect, and anything else is ignored. What the verifier
  /// remembers of an operator's hosts is then kept for that operator, and not only for this one network. The code goes to no trace, log or
  /// server.
  public func operatedBy(mccMNC: String) { onOperator(mccMNC) }

  /// The network is lost, blocked or replaced by another: verifications that still need it end at once with
  /// ``VerifyError/Kind-swift.enum/cellularUnavailable(_:)`` and this cause, and the network is released. May be called at any time and from
  /// any thread; returns at once. Only the first call between `acquire` and `release` has an effect.
  public func lost(_ reason: CellularCause) { onLoss(reason) }
}

/// One network at one time, in the words of its platform.
public enum NetworkBinding: Sendable, Hashable {
  /// Apple: the index of the `NWInterface`.
  case appleInterface(index: UInt32)
  /// Linux: the name of the interface, such as `wwan0`.
  case linuxInterface(name: String)
  /// No binding: whatever network the system chooses. For development only, and refused without
  /// ``NumberVerifier/Configuration/Development/anyNetwork``.
  case unbound
}

/// Whether a verification could run now.
public enum CellularStatus: Sendable, Hashable {
  /// The cellular network is there.
  case ready
  /// Wi-Fi is the default network; cellular will be brought up beside it.
  case wifiActive
  /// It could not, for this reason.
  case unavailable(CellularCause)
}

/// Why a ``CellularProvider`` could not bring up the network.
public struct CellularError: Error, Sendable, Hashable {
  /// Why.
  public let reason: CellularCause

  /// An error for this reason.
  public init(_ reason: CellularCause) {
    self.reason = reason
  }
}

/// A provider as the core knows it. The core may cancel `acquire` and call `release` before the task of the former has run at all: then the
/// provider is called for neither.
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

/// Whether the provider's `acquire` was called since its last `release`.
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
