// Values to branch on: the recommended action, the step and the cause. Their error texts come from
// the core.

/// The recommended action after an error.
public enum Fallback: Sendable, Hashable, CaseIterable {
  /// Verify the number through another channel, such as a code by SMS. A retry will not succeed.
  case useAnotherChannel
  /// The same call may succeed later.
  case retryLater
  /// Ask the user to turn on mobile data (for this app), then retry.
  case askToEnableMobileData
  /// The app, its settings or its backend must be corrected.
  case fixIntegration
}

/// A step of a verification.
public enum Step: Sendable, Hashable, CaseIterable {
  /// Requests the auth URL from the backend.
  case start
  /// Acquires the cellular network.
  case acquire
  /// Follows the auth URL over the cellular network.
  case authorize
  /// Requests the result from the backend.
  case complete
}

/// Why the cellular network cannot be used.
public enum CellularCause: Sendable, Hashable, CaseIterable {
  /// The interface does not exist, or the device has no cellular network now: no radio, no SIM,
  /// airplane mode, or mobile data off for the whole device. iOS does not report which.
  case noInterface
  /// The interface is or went down.
  case interfaceDown
  /// A VPN that the app's traffic must use is not connected, or cannot be bypassed.
  case vpn
  /// The system blocks the app's traffic in the background.
  case blockedInBackground
  /// Mobile data is off. On iOS, this is `cellularDenied`, which Apple documents as "the user has
  /// disabled cellular": for the device, for this app, or both.
  case dataOff
  /// Airplane mode is on. Not reported on iOS.
  case airplane
  /// There is no usable SIM. Not reported on iOS.
  case noSIM
  /// The requested SIM is not the default SIM for mobile data. Not reported on iOS.
  case notDataSIM
  /// A permission is missing.
  case permission
  /// The app has too many pending network requests.
  case tooManyRequests
  /// The system rejected a valid request. Not reported on iOS.
  case systemFault
  /// The network did not become available in time.
  case timeout
  /// This system or device does not support per-network sockets.
  case unsupported
  /// This is Apple's simulator, which has no cellular network.
  case simulator
}

/// What failed in a call to the backend.
public enum BackendCause: Sendable, Hashable, CaseIterable {
  /// No connection, or the connection was lost.
  case unreachable
  /// TLS failed, for example because the certificate is not trusted.
  case tls
  /// No response in time.
  case timeout
  /// The backend returned an HTTP error status.
  case status
  /// The response violates the contract.
  case malformedAnswer
  /// The custom ``Backend`` threw an error that is not a ``BackendError``.
  case appFailed
}

/// What failed on the operator's side.
public enum AuthorizationCause: Sendable, Hashable, CaseIterable {
  /// The host name could not be resolved over the cellular network.
  case dns
  /// No address accepted a connection.
  case connect
  /// TLS failed: the certificate is not trusted, or the handshake failed.
  case tls
  /// No connection or no response in time.
  case timeout
  /// The connection was closed before the response was complete.
  case closed
  /// An HTTP status that ends the verification.
  case httpStatus
  /// More redirects than ``NumberVerifier/Configuration/redirectLimit``.
  case tooManyRedirects
  /// A redirect to a request that was already made.
  case redirectLoop
  /// A redirect to a disallowed URL.
  case forbiddenRedirect
  /// A redirect without a valid `Location`.
  case badLocation
  /// A page or another response without a code: the operator may require user interaction.
  case unexpectedPage
  /// A malformed HTTP response.
  case malformedResponse
  /// Headers or body over 64 KiB.
  case tooLarge
}
