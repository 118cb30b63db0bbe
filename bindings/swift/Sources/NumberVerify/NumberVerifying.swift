/// The interface of ``NumberVerifier``, for app code to depend on. For unit tests, the product
/// `NumberVerifyTesting` provides `FakeNumberVerifier`, which conforms to it.
///
/// Later versions may add methods: tests should use that fake rather than conform to this protocol.
public protocol NumberVerifying: Sendable {
  /// Verifies that the SIM in this phone owns this number. Takes some seconds, at most
  /// `deadlines.overallMs`.
  ///
  /// Cancelling the task ends the verification immediately and releases the cellular network.
  ///
  /// - Parameters:
  ///   - phoneNumber: in E.164 format, such as `+14155550100`: a plus sign and 5 to 15 digits, the
  ///     first not 0. Spaces, hyphens, dots and parentheses are allowed.
  ///   - options: sets options of this verification. Optional.
  /// - Returns: the result. "Not verified" is a result, not an error.
  /// - Throws: ``VerifyError`` if the verification could not be completed; its
  ///   ``VerifyError/fallback`` is the recommended action. `CancellationError` if the task was
  ///   cancelled.
  func verify(phoneNumber: String, options: (inout VerificationOptions) -> Void) async throws -> Verification

  /// Verifies that the SIM in this phone owns this number, and reports progress.
  ///
  /// Each iteration runs one verification, which starts with its first `next()`. The last element
  /// is ``NumberVerifier/Progress/done(_:)``. Events are buffered: a slow consumer loses none and
  /// does not delay the verification. Leaving the loop or cancelling its task cancels the
  /// verification.
  ///
  /// ```swift
  /// for try await progress in verifier.verifying(phoneNumber: "+14155550100") {
  ///   if case .done(let verification) = progress { print(verification.verified) }
  /// }
  /// ```
  ///
  /// - Parameters:
  ///   - phoneNumber: as for ``verify(phoneNumber:options:)``.
  ///   - options: sets options of the verification; called once, not per iteration. Optional.
  /// - Returns: the sequence. Iterating it throws the errors of ``verify(phoneNumber:options:)``.
  func verifying(phoneNumber: String, options: (inout VerificationOptions) -> Void) -> NumberVerifier.ProgressSequence

  /// Retrieves the phone number of the SIM in this phone from its operator, so that the user need
  /// not type it. Duration and cancellation are those of a verification.
  ///
  /// Obtain the user's consent first: the number is personal data. The backend must use the number
  /// that the operator returned to the backend itself, never one sent by a phone. The proof is the
  /// same as in a verification, except that the user has not typed the number. On a phone with two
  /// SIMs, the number is that of the SIM for mobile data.
  ///
  /// ```swift
  /// let number = try await verifier.retrieve()
  /// show(number.phoneNumber)
  /// ```
  ///
  /// - Parameter options: sets options of this retrieval. Optional.
  /// - Returns: the number, in E.164 format.
  /// - Throws: ``VerifyError`` if the retrieval could not be completed, of any kind except
  ///   ``VerifyError/Kind-swift.enum/invalidPhoneNumber``. If the backend does not support
  ///   retrieval, the kind is
  ///   ``VerifyError/Kind-swift.enum/backend(step:reason:status:retryAfterSeconds:)`` with
  ///   ``Step/start`` and status 501, and the ``VerifyError/fallback`` is
  ///   ``Fallback/fixIntegration``. `CancellationError` if the task was cancelled.
  func retrieve(options: (inout VerificationOptions) -> Void) async throws -> RetrievedNumber

  /// Retrieves the phone number of the SIM in this phone, and reports progress. Like
  /// ``verifying(phoneNumber:options:)``, but the last element is
  /// ``NumberVerifier/Progress/retrieved(_:)``.
  ///
  /// - Parameter options: sets options of the retrieval; called once, not per iteration. Optional.
  /// - Returns: the sequence. Iterating it throws the errors of ``retrieve(options:)``.
  func retrieving(options: (inout VerificationOptions) -> Void) -> NumberVerifier.ProgressSequence

  /// Returns whether a verification could run now. Reads the device's state only, without network
  /// traffic.
  func check() async -> CellularStatus

  /// Prepares for a verification within the next 30 seconds. Optional; reduces the latency of that
  /// verification. Call it when the phone-number screen appears.
  ///
  /// Acquires the cellular network and opens connections: to the backend, and over the cellular
  /// network to the first hosts of this verifier's last verification within an hour on the same
  /// network, or to ``NumberVerifier/Configuration/authOrigin``; to no other hosts. "Same network"
  /// means the same operator if the ``CellularProvider`` reports the operator, otherwise the same
  /// interface, as on Apple platforms. ``NumberVerifier/Configuration/openAhead`` disables all of
  /// these connections. Returns as soon as the network is available, while the connections are
  /// still being opened: a verification uses those that are open, and waits for those that are
  /// being opened over the cellular network.
  ///
  /// Idempotent: another call holds the same network for another 30 seconds. Without a
  /// verification, the network is released and its connections are closed 30 seconds after the last
  /// call; the connection to the backend is closed within a minute. Cancelling the task stops
  /// waiting but keeps the network.
  ///
  /// Costs battery power for holding the radio during that time, and for the TLS handshakes of
  /// these connections. The built-in client sends the backend one `HEAD` request for its base URL,
  /// without the app's headers; any response is accepted. A custom ``Backend`` is not called.
  ///
  /// - Throws: ``VerifyError`` if the network cannot be used, as a verification would.
  ///   `CancellationError` if the task was cancelled.
  func prepare() async throws
}

extension NumberVerifying {
  /// Calls ``verify(phoneNumber:options:)`` without options.
  public func verify(phoneNumber: String) async throws -> Verification {
    try await verify(phoneNumber: phoneNumber) { _ in }
  }

  /// Calls ``verifying(phoneNumber:options:)`` without options.
  public func verifying(phoneNumber: String) -> NumberVerifier.ProgressSequence {
    verifying(phoneNumber: phoneNumber) { _ in }
  }

  /// Calls ``retrieve(options:)`` without options.
  public func retrieve() async throws -> RetrievedNumber {
    try await retrieve { _ in }
  }

  /// Calls ``retrieving(options:)`` without options.
  public func retrieving() -> NumberVerifier.ProgressSequence {
    retrieving { _ in }
  }
}
