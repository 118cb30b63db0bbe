/// What a ``NumberVerifier`` does, for app code to depend on. In an app's own tests, `FakeNumberVerifier` of the product `NumberVerifyTesting`
/// conforms to it.
///
/// A later version may have further functions: tests should use that fake and not conform to this.
public protocol NumberVerifying: Sendable {
  /// Verifies that the SIM in this phone owns this number. Takes some seconds, at most `deadlines.overallMs`.
  ///
  /// Cancelling the task ends the verification at once and releases the cellular network.
  ///
  /// - Parameters:
  ///   - phoneNumber: in E.164 form, such as `+14155550100`: a plus sign and 5 to 15 digits, the first not 0. Spaces, hyphens, dots and
  ///     parentheses are allowed.
  ///   - options: what this verification adds to the settings. Optional.
  /// - Returns: the result. "Not verified" is a result, not an error.
  /// - Throws: ``VerifyError`` if there is no result; its ``VerifyError/fallback`` states what to do. `CancellationError` if the task was
  ///   cancelled.
  func verify(phoneNumber: String, options: (inout VerificationOptions) -> Void) async throws -> Verification

  /// Verifies that the SIM in this phone owns this number, and reports progress.
  ///
  /// Each iteration runs one verification, from its first `next()` on. The last element is ``NumberVerifier/Progress/done(_:)``. Events are
  /// buffered: a slow reader loses none and does not delay the verification. Leaving the loop or cancelling its task ends the verification.
  ///
  /// ```swift
  /// for try await progress in verifier.verifying(phoneNumber: "+14155550100") {
  ///   if case .done(let verification) = progress { print(verification.verified) }
  /// }
  /// ```
  ///
  /// - Parameters:
  ///   - phoneNumber: as for ``verify(phoneNumber:options:)``, whose errors the loop throws.
  ///   - options: what this verification adds to the settings; called once, and the same for each iteration. Optional.
  func verifying(phoneNumber: String, options: (inout VerificationOptions) -> Void) -> NumberVerifier.ProgressSequence

  /// Retrieves the phone number of the SIM in this phone from its operator, so that the user need not type it. Takes as long as a verification,
  /// and is cancelled in the same way.
  ///
  /// The user must have consented first: the number is personal data. The backend must use the number that the operator returned to the backend
  /// itself, never one that a phone sends. The proof is the same as in a verification, except that the user has not typed the number. On a phone
  /// with two SIMs, the number is that of the SIM for mobile data.
  ///
  /// ```swift
  /// let number = try await verifier.retrieve()
  /// show(number.phoneNumber)
  /// ```
  ///
  /// - Parameter options: what this retrieval adds to the settings. Optional.
  /// - Returns: the number, in E.164 form.
  /// - Throws: ``VerifyError`` if there is no result, of all kinds but ``VerifyError/Kind-swift.enum/invalidPhoneNumber``. A backend that does not
  ///   offer retrieval is of kind ``VerifyError/Kind-swift.enum/backend(step:reason:status:retryAfterSeconds:)``, at ``Step/start`` and with status
  ///   501; its ``VerifyError/fallback`` is ``Fallback/fixIntegration``. `CancellationError` if the task was cancelled.
  func retrieve(options: (inout VerificationOptions) -> Void) async throws -> RetrievedNumber

  /// Retrieves the phone number of the SIM in this phone, and reports progress. As ``verifying(phoneNumber:options:)``, but the last element is
  /// ``NumberVerifier/Progress/retrieved(_:)``.
  ///
  /// - Parameter options: what this retrieval adds to the settings; called once, and the same for each iteration. Optional.
  func retrieving(options: (inout VerificationOptions) -> Void) -> NumberVerifier.ProgressSequence

  /// Whether a verification could run now. Sends nothing: it reads the device's own state.
  func check() async -> CellularStatus

  /// Prepares for a verification that will follow within 30 seconds: call it when the screen for the phone number appears. Optional;
  /// reduces the latency of that verification.
  ///
  /// Acquires the cellular network, and opens connections: to the backend, and over the cellular network to the first hosts of this
  /// verifier's last verification within an hour on the same network, which is the same operator's if the ``CellularProvider`` reports the
  /// operator, and the same interface otherwise, as on Apple systems, or to
  /// ``NumberVerifier/Configuration/authOrigin``; to no other hosts
  /// (``NumberVerifier/Configuration/openAhead`` turns all of these off). Returns as soon as the network is there, while the connections go
  /// on opening: a verification uses those that are open, and waits for those that are opening over the cellular network.
  ///
  /// Idempotent: another call holds the same network for 30 seconds more. Without a verification, 30 seconds after the last call the
  /// network is released and its connections are closed; that to the backend closes within a minute. Cancelling the task stops waiting only.
  ///
  /// It costs the battery what holding the radio for that time costs, and the TLS handshakes of these connections. The built-in client
  /// sends the backend one `HEAD` request for its base URL, without the app's headers; any response will do. A custom ``Backend`` is not
  /// called.
  ///
  /// - Throws: ``VerifyError`` if the network cannot be used, as a verification would. `CancellationError` if the task was cancelled.
  func prepare() async throws
}

extension NumberVerifying {
  /// ``verify(phoneNumber:options:)`` without options.
  public func verify(phoneNumber: String) async throws -> Verification {
    try await verify(phoneNumber: phoneNumber) { _ in }
  }

  /// ``verifying(phoneNumber:options:)`` without options.
  public func verifying(phoneNumber: String) -> NumberVerifier.ProgressSequence {
    verifying(phoneNumber: phoneNumber) { _ in }
  }

  /// ``retrieve(options:)`` without options.
  public func retrieve() async throws -> RetrievedNumber {
    try await retrieve { _ in }
  }

  /// ``retrieving(options:)`` without options.
  public func retrieving() -> NumberVerifier.ProgressSequence {
    retrieving { _ in }
  }
}
