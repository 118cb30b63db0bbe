// The app's own API client, where it has one. Without, the verifier calls the backend itself.

internal import NumberVerifyCore

/// Makes the two calls to the app's backend, for an app that has an API client of its own. It runs on the default network, not on the
/// cellular one. The calls are described in the project's README ("Writing the backend").
///
/// Each call has `deadlines.backendMs`; then, and when the verification is cancelled, its task is cancelled.
public protocol Backend: Sendable {
  /// Requests the auth URL for this phone number. In a retrieval, ``StartRequest/phoneNumber`` is `nil`: then send
  /// `"purpose": "device-phone-number"` instead of the number.
  ///
  /// - Throws: ``BackendError`` if there is none. Any other error is reported as ``BackendCause/appFailed``.
  func start(_ request: StartRequest) async throws -> AuthorizationStart

  /// Hands over the code.
  ///
  /// - Returns: the response body, a JSON object with the boolean `verified` (or `devicePhoneNumberVerified`); in a retrieval with the string
  ///   `phoneNumber` (or `devicePhoneNumber`), in E.164 form.
  /// - Throws: ``BackendError`` if there is none. Any other error is reported as ``BackendCause/appFailed``.
  func complete(_ request: CompletionRequest) async throws -> String
}

/// The request to `start`. Its values are not included in `description` or `dump`.
public struct StartRequest: Sendable {
  private let core: NumberVerifyCore.StartRequest

  init(_ core: NumberVerifyCore.StartRequest) {
    self.core = core
  }

  /// The phone number, in E.164 form. `nil` in a retrieval: then send `"purpose": "device-phone-number"` instead.
  public var phoneNumber: String? { core.phoneNumber() }

  /// The headers in the options of this verification, by name in lower case.
  public var headers: [String: String] { core.headers() }

  /// The further members of the start request in the options of this verification: JSON texts by name.
  public var startFields: [String: String] { core.startFields() }

  /// Send it as `Idempotency-Key`: a repeat of this call has the same one.
  public var idempotencyKey: String { core.idempotencyKey() }

  /// Send it as `x-correlator`: all calls of a verification have the same one.
  public var correlator: String { core.correlator() }

  /// Milliseconds until the deadline of the whole verification.
  public var timeLeftMs: Int { Int(clamping: core.timeLeftMs()) }
}

/// The request to `complete`. Neither the phone number nor the purpose is part of it: they belong to the session that `start` made. Its values
/// are not included in `description` or `dump`.
public struct CompletionRequest: Sendable {
  private let core: NumberVerifyCore.CompletionRequest

  init(_ core: NumberVerifyCore.CompletionRequest) {
    self.core = core
  }

  /// The operator's one-time code; `nil` where the delivery has none.
  public var code: String? { core.code() }

  /// The `state` that came with the code.
  public var state: String? { core.state() }

  /// The session of `start`'s answer.
  public var session: String? { core.session() }

  /// The headers in the options of this verification, by name in lower case.
  public var headers: [String: String] { core.headers() }

  /// Send it as `Idempotency-Key`: a repeat of this call has the same one.
  public var idempotencyKey: String { core.idempotencyKey() }

  /// Send it as `x-correlator`: all calls of a verification have the same one.
  public var correlator: String { core.correlator() }

  /// Milliseconds until the deadline of the whole verification.
  public var timeLeftMs: Int { Int(clamping: core.timeLeftMs()) }
}

/// What `start` answered. Its values are in no printed form.
public struct AuthorizationStart: Sendable {
  let core: NumberVerifyCore.AuthorizationStart

  /// The backend's answer.
  ///
  /// - Parameters:
  ///   - authURL: the absolute https URL that is opened over the cellular network.
  ///   - redirectURI: needed only where the auth URL does not show it, as with signed request objects (RFC 9101).
  ///   - session: comes back with ``CompletionRequest``.
  ///   - state: needed only where the auth URL does not show it.
  ///   - hints: how requests to some of the operator's hosts differ. Those that break a rule, and all after the sixteenth, are ignored.
  public init(authURL: String, redirectURI: String? = nil, session: String? = nil, state: String? = nil, hints: [Hint] = []) {
    core = NumberVerifyCore.AuthorizationStart(
      authUrl: authURL, redirectUri: redirectURI, session: session, state: state, hints: hints.map(\.core))
  }
}

/// A call to the backend failed.
public enum BackendError: Error, Sendable, Hashable {
  /// No connection, or it broke.
  case unreachable
  /// TLS failed.
  case tls
  /// No answer in time.
  case timeout
  /// The HTTP status says no. `fallback`: what the backend's problem document (RFC 9457) advises, if it does; `retryAfterSeconds`: its
  /// `Retry-After`, if it had one.
  case status(Int, fallback: Fallback? = nil, retryAfterSeconds: Int? = nil)
  /// The answer does not follow the contract. `status`: its HTTP status.
  case malformedAnswer(status: Int? = nil)
}

/// A backend as the core knows it.
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

  private func orCoreError<Answer>(_ call: () async throws -> Answer) async throws -> Answer {
    do {
      return try await call()
    } catch let error as BackendError {
      throw error.core
    } catch {
      throw NumberVerifyCore.BackendError.Failed
    }
  }
}
