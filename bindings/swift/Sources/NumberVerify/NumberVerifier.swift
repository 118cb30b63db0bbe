internal import NumberVerifyCore

/// Verifies that this phone has a phone number: silently, over the cellular network, without an SMS code. Or retrieves the number, so that the
/// user need not type it.
///
/// Keep one for the whole app. All functions may be called from any thread or actor, the main one too, and at the same time: verifications
/// that run at the same time share the cellular network. It has one thread of its own, which starts with the first call; before, nothing is
/// opened or sent.
///
/// App code that depends on ``NumberVerifying`` instead can be tested without it.
///
/// There is nothing to close. When the last reference goes, a network that ``prepare()`` holds is released; verifications that still run go on
/// to their end, and then the thread ends. To end them, cancel their tasks.
public final class NumberVerifier: NumberVerifying {
  private let core: CoreVerifier

  /// A verifier with its own way to the cellular network.
  ///
  /// - Parameters:
  ///   - cellular: brings the network up. Give each verifier its own.
  ///   - backend: the base URL of the app's backend, such as `https://api.example.com/number-verify`: https (http only to loopback), without
  ///     user name, query and fragment.
  ///   - configure: changes further settings; all of them have defaults.
  /// - Throws: ``VerifyError`` of kind ``VerifyError/Kind-swift.enum/invalidConfig(setting:)`` where a setting cannot work.
  public convenience init(cellular: any CellularProvider, backend: String, configure: (inout Configuration) -> Void = { _ in }) throws {
    try self.init(cellular: cellular, backend: nil, backendURL: backend, configuration: Configuration(configure))
  }

  /// A verifier with its own way to the cellular network and its own API client.
  ///
  /// - Parameters:
  ///   - cellular: brings the network up. Give each verifier its own.
  ///   - backend: makes the two calls.
  ///   - backendURL: the backend's base URL, as above; only its origin counts, where the code is delivered by
  ///     ``CodeDelivery/followThrough``.
  ///   - configure: changes further settings; all of them have defaults.
  /// - Throws: ``VerifyError`` of kind ``VerifyError/Kind-swift.enum/invalidConfig(setting:)`` where a setting cannot work.
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
      // A failure of the provider is a status; the core throws only if it failed itself, and could not verify then.
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

  /// Forgets which hosts followed each other in earlier verifications of this verifier, such as when the user signs out: the next one opens
  /// no connection ahead, except to ``Configuration/authOrigin``. One that still runs remembers its hosts when it ends.
  public func forgetHosts() { core.forgetHosts() }
}

extension NumberVerifier: CustomStringConvertible {
  /// The name of the type.
  public var description: String { "NumberVerifier" }
}
