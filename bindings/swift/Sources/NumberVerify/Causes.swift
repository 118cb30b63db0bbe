// What an app can decide by: what to do now, which step it was, what failed. The texts about them come from the core.

/// What the app should do after an error.
public enum Fallback: Sendable, Hashable, CaseIterable {
  /// Verify the number in another way, such as a code by SMS: repeating will not help.
  case useAnotherChannel
  /// The same call may succeed later.
  case retryLater
  /// Ask the user to turn on mobile data (for this app), then repeat.
  case askToEnableMobileData
  /// The app, its settings or its backend have to be corrected.
  case fixIntegration
}

/// A step of a verification.
public enum Step: Sendable, Hashable, CaseIterable {
  /// The backend is asked for the auth URL.
  case start
  /// The cellular network is brought up.
  case acquire
  /// The auth URL is followed over the cellular network.
  case authorize
  /// The backend is called for the result.
  case complete
}

/// Why the cellular network cannot be used.
public enum CellularCause: Sendable, Hashable, CaseIterable {
  /// There is no such interface, or the device has no cellular network now: no radio, no SIM, airplane mode, or mobile data off for the
  /// whole device. iOS does not say which.
  case noInterface
  /// The interface is down, or went down.
  case interfaceDown
  /// A VPN that the app's traffic has to use is not there, or does not let it around.
  case vpn
  /// The system blocks the app's traffic in the background.
  case blockedInBackground
  /// Mobile data is off. Apple documents its `cellularDenied`, which this is, as "the user has disabled cellular": for the device, for this
  /// app, or both.
  case dataOff
  /// Airplane mode is on. Not told by iOS.
  case airplane
  /// There is no usable SIM. Not told by iOS.
  case noSIM
  /// The SIM that was asked for is not the one that the phone is set to use for mobile data. Not told by iOS.
  case notDataSIM
  /// A permission is missing.
  case permission
  /// The app has too many pending network requests.
  case tooManyRequests
  /// The system refused a request that it should have taken. Not told by iOS.
  case systemFault
  /// The network did not come up in time.
  case timeout
  /// This system or device cannot send over a chosen network.
  case unsupported
  /// This is Apple's simulator, which has no cellular network.
  case simulator
}

/// What failed in a call to the backend.
public enum BackendCause: Sendable, Hashable, CaseIterable {
  /// No connection, or it broke.
  case unreachable
  /// TLS failed, such as a certificate that is not trusted.
  case tls
  /// No answer in time.
  case timeout
  /// The HTTP status says no.
  case status
  /// The answer does not follow the contract.
  case malformedAnswer
  /// The app's own ``Backend`` threw an error that is not a ``BackendError``.
  case appFailed
}

/// What failed on the operator's side.
public enum AuthorizationCause: Sendable, Hashable, CaseIterable {
  /// The host name could not be resolved over the cellular network.
  case dns
  /// No address accepted a connection.
  case connect
  /// TLS failed: the certificate is not trusted, or the handshake broke.
  case tls
  /// No connection or no answer in time.
  case timeout
  /// The connection ended before the answer was complete.
  case closed
  /// An HTTP status that ends the verification.
  case httpStatus
  /// More redirects than allowed.
  case tooManyRedirects
  /// The same request was asked for again.
  case redirectLoop
  /// A redirect to a place where a verification must not go.
  case forbiddenRedirect
  /// A redirect without a usable Location.
  case badLocation
  /// A page instead of a code: the operator wants to talk to a person.
  case unexpectedPage
  /// An answer that breaks the protocol.
  case malformedResponse
  /// Headers or body beyond 64 KiB.
  case tooLarge
}
