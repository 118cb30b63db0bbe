// A custom API client of the app. Without one, the built-in client calls the backend.

internal import NumberVerifyCore

/// Makes the two calls to the app's backend through a custom API client. It uses the default
/// network, not the cellular network. The project's `docs/backend.md` describes the calls.
///
/// Each call must complete within `deadlines.backendMs`. Its task is cancelled on timeout and when
/// the verification is cancelled.
public protocol Backend: Sendable {
  /// Requests the auth URL for this phone number. In a retrieval, ``StartRequest/phoneNumber`` is
  /// `nil`: send `"purpose": "device-phone-number"` instead of the number.
  ///
  /// - Returns: the start response.
  /// - Throws: ``BackendError`` if the call fails. Any other error is reported as
  ///   ``BackendCause/appFailed``.
  func start(_ request: StartRequest) async throws -> AuthorizationStart

  /// Sends the authorization code to the backend.
  ///
  /// - Returns: the response body: a JSON object with the boolean `verified` (or
  ///   `devicePhoneNumberVerified`), or in a retrieval with the string `phoneNumber` (or
  ///   `devicePhoneNumber`) in E.164 format.
  /// - Throws: ``BackendError`` if the call fails. Any other error is reported as
  ///   ``BackendCause/appFailed``.
  func complete(_ request: CompletionRequest) async throws -> String
}

/// The request to `start`. Its values are not included in `description` or `dump`.
public struct StartRequest: Sendable {
  private let core: NumberVerifyCore.StartRequest

  init(_ core: NumberVerifyCore.StartRequest) {
    self.core = core
  }

  /// The phone number in E.164 format. `nil` in a retrieval: send
  /// `"purpose": "device-phone-number"` instead.
  public var phoneNumber: String? { core.phoneNumber() }

  /// The headers from the options of this verification, by lowercase name.
  public var headers: [String: String] { core.headers() }

  /// Additional members of the start request from the options of this verification: JSON text by
  /// name.
  public var startFields: [String: String] { core.startFields() }

  /// Send as `Idempotency-Key`. Retries of this call reuse the same key.
  public var idempotencyKey: String { core.idempotencyKey() }

  /// Send as `x-correlator`. All calls of a verification use the same value.
  public var correlator: String { core.correlator() }

  /// Milliseconds until the deadline of the whole verification.
  public var timeLeftMs: Int { Int(clamping: core.timeLeftMs()) }
}

/// The request to `complete`. It contains neither the phone number nor the purpose: they belong to
/// the session that `start` created. Its values are not included in `description` or `dump`.
public struct CompletionRequest: Sendable {
  private let core: NumberVerifyCore.CompletionRequest

  init(_ core: NumberVerifyCore.CompletionRequest) {
    self.core = core
  }

  /// The operator's authorization code; `nil` if there is none to relay: with
  /// ``CodeDelivery/noCode``, or with ``CodeDelivery/followThrough`` if the callback returned no
  /// result.
  public var code: String? { core.code() }

  /// The `state` received with the code.
  public var state: String? { core.state() }

  /// The session of the start response.
  public var session: String? { core.session() }

  /// The headers from the options of this verification, by lowercase name.
  public var headers: [String: String] { core.headers() }

  /// Send as `Idempotency-Key`. Retries of this call reuse the same key.
  public var idempotencyKey: String { core.idempotencyKey() }

  /// Send as `x-correlator`. All calls of a verification use the same value.
  public var correlator: String { core.correlator() }

  /// Milliseconds until the deadline of the whole verification.
  public var timeLeftMs: Int { Int(clamping: core.timeLeftMs()) }
}

/// The start response. Its values are not included in `description` or `dump`.
public struct AuthorizationStart: Sendable {
  let core: NumberVerifyCore.AuthorizationStart

  /// Creates a start response.
  ///
  /// - Parameters:
  ///   - authURL: the absolute https URL that is opened over the cellular network.
  ///   - redirectURI: required only if the auth URL does not contain it, as with signed request
  ///     objects (RFC 9101).
  ///   - session: returned in ``CompletionRequest/session``.
  ///   - state: required only if the auth URL does not contain it.
  ///   - hints: request adjustments for some of the operator's hosts. Invalid hints, and all after
  ///     the sixteenth, are ignored.
  public init(authURL: String, redirectURI: String? = nil, session: String? = nil, state: String? = nil, hints: [Hint] = []) {
    core = NumberVerifyCore.AuthorizationStart(
      authUrl: authURL, redirectUri: redirectURI, session: session, state: state, hints: hints.map(\.core))
  }
}

/// A call to the backend failed.
public enum BackendError: Error, Sendable, Hashable {
  /// No connection, or the connection was lost.
  case unreachable
  /// TLS failed.
  case tls
  /// No response in time.
  case timeout
  /// The backend returned an HTTP error status. `fallback`: the recommendation in the backend's
  /// problem document (RFC 9457), if any; `retryAfterSeconds`: its `Retry-After`, if any.
  case status(Int, fallback: Fallback? = nil, retryAfterSeconds: Int? = nil)
  /// The response violates the contract. `status`: its HTTP status.
  case malformedAnswer(status: Int? = nil)
}

/// Adapts a ``Backend`` to the core's protocol.
final class CoreBackend: NumberVerifyCore.Backend {
  private let backend: any Backend

  init(_ backend: any Backend) {
    self.backend = backend
  }

  func start(request: NumberVerifyCore.StartRequest) async throws -> NumberVerifyCore.AuthorizationStart {
    try await orCoreError { try await backend.start(StartRequest(request)).core }
  }

  func complete(request: NumberVerifyCore.CompletionRequest) async throws -> String {
    try await orCoreError { try await backend.complete(CompletionRequest(request)) }
  }

  private func orCoreError<Value>(_ call: () async throws -> Value) async throws -> Value {
    do {
      return try await call()
    } catch let error as BackendError {
      throw error.core
    } catch {
      throw NumberVerifyCore.BackendError.Failed
    }
  }
}
