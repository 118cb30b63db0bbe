internal import NumberVerifyCore

/// Verifies that a phone number belongs to the SIM in this phone: silently, over the cellular
/// network, without an SMS code. Or retrieves the number, so that the user need not type it.
///
/// Create one verifier per app and reuse it. Thread-safe: all methods may be called concurrently
/// from any thread or actor, including the main actor. Concurrent verifications share the cellular
/// network. The verifier uses one background thread, which starts with the first call; before that,
/// nothing is opened or sent.
///
/// Depend on ``NumberVerifying`` in app code to unit-test it without a network.
///
/// No explicit close. When the last reference is released, a network held by ``prepare()`` is
/// released; running verifications continue to completion, and then the thread ends. To stop them,
/// cancel their tasks.
public final class NumberVerifier: NumberVerifying {
  private let core: CoreVerifier

  /// Creates a verifier with a custom ``CellularProvider``.
  ///
  /// - Parameters:
  ///   - cellular: acquires the network. Do not share it between verifiers.
  ///   - backend: the base URL of the app's backend, such as
  ///     `https://api.example.com/number-verify`: https (http only for loopback), without userinfo,
  ///     query or fragment.
  ///   - configure: changes settings; all have defaults.
  /// - Throws: ``VerifyError`` of kind ``VerifyError/Kind-swift.enum/invalidConfig(setting:)`` if a
  ///   setting is invalid.
  public convenience init(cellular: any CellularProvider, backend: String, configure: (inout Configuration) -> Void = { _ in }) throws {
    try self.init(cellular: cellular, backend: nil, backendURL: backend, configuration: Configuration(configure))
  }

  /// Creates a verifier with a custom ``CellularProvider`` and a custom API client.
  ///
  /// - Parameters:
  ///   - cellular: acquires the network. Do not share it between verifiers.
  ///   - backend: makes the two calls.
  ///   - backendURL: the backend's base URL, as for ``init(cellular:backend:configure:)``; only its
  ///     origin is used, for ``CodeDelivery/followThrough``.
  ///   - configure: changes settings; all have defaults.
  /// - Throws: ``VerifyError`` of kind ``VerifyError/Kind-swift.enum/invalidConfig(setting:)`` if a
  ///   setting is invalid.
  public convenience init(
    cellular: any CellularProvider, backend: any Backend, backendURL: String, configure: (inout Configuration) -> Void = { _ in }
  ) throws {
    try self.init(cellular: cellular, backend: backend, backendURL: backendURL, configuration: Configuration(configure))
  }

  init(cellular: any CellularProvider, backend: (any Backend)?, backendURL: String, configuration: Configuration) throws {
    let config = try configuration.core(backendURL: backendURL)
    let cellular = CoreCellularProvider(cellular)
    core = try orVerifyError {
      if let backend {
        try CoreVerifier.withBackend(config: config, cellular: cellular, backend: CoreBackend(backend))
      } else {
        try CoreVerifier(config: config, cellular: cellular)
      }
    }
  }

  public func verify(phoneNumber: String, options: (inout VerificationOptions) -> Void) async throws -> Verification {
    try Task.checkCancellation()
    let options = VerificationOptions(options).core
    return Verification(try await core.beginWith(phoneNumber: phoneNumber, options: options, listener: nil).outcome())
  }

  public func verifying(phoneNumber: String, options: (inout VerificationOptions) -> Void) -> ProgressSequence {
    let options = VerificationOptions(options)
    return ProgressSequence { [core] emit in
      Verification(try await core.beginWith(phoneNumber: phoneNumber, options: options.core, listener: Listener(emit)).outcome())
    }
  }

  public func retrieve(options: (inout VerificationOptions) -> Void) async throws -> RetrievedNumber {
    try Task.checkCancellation()
    let options = VerificationOptions(options).core
    return RetrievedNumber(try await core.beginRetrieval(options: options, listener: nil).outcome())
  }

  public func retrieving(options: (inout VerificationOptions) -> Void) -> ProgressSequence {
    let options = VerificationOptions(options)
    return ProgressSequence(retrieval: { [core] emit in
      RetrievedNumber(try await core.beginRetrieval(options: options.core, listener: Listener(emit)).outcome())
    })
  }

  public func check() async -> CellularStatus {
    do {
      return CellularStatus(try await core.check())
    } catch {
      // A provider failure is reported as a status; the core throws only on an internal error, and
      // could not verify either.
      return .unavailable(.unsupported)
    }
  }

  public func prepare() async throws {
    try Task.checkCancellation()
    let prepared = AsyncThrowingStream<Never, any Error> { [core] continuation in
      Task {
        do {
          try await core.prepare()
          continuation.finish()
        } catch {
          continuation.finish(throwing: VerifyError(error, trace: nil))
        }
      }
    }
    for try await _ in prepared {}
    try Task.checkCancellation()
  }

  /// Clears the hosts remembered from earlier verifications of this verifier, for example when the
  /// user signs out. The next verification opens no connection ahead, except to
  /// ``Configuration/authOrigin``. A verification in progress stores its hosts when it ends.
  public func forgetHosts() { core.forgetHosts() }
}

extension NumberVerifier: CustomStringConvertible {
  /// The name of the type.
  public var description: String { "NumberVerifier" }
}
