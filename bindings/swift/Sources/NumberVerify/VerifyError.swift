public import Foundation
internal import NumberVerifyCore

/// Thrown if a verification, retrieval or preparation could not be completed, or a setting or hint
/// is invalid. "Not verified" is not an error: it is a ``Verification``.
///
/// Branch on ``fallback``; every error has one, also those added by later versions. The texts are
/// English sentences for developers. They contain no phone number, code, cookie or third-party
/// text; neither does any value except ``OperatorMessage/text()``.
public struct VerifyError: Error, Sendable, Equatable {
  /// The kind of error.
  public let kind: Kind

  /// The recommended action.
  public let fallback: Fallback

  /// The steps and durations until the failure; `nil` if no verification was running.
  public let trace: Trace?

  private let text: ErrorText

  /// Creates an error, for unit tests of apps. Fallback and texts of a real error come from the
  /// Rust core.
  ///
  /// - Parameters:
  ///   - kind: the kind of error.
  ///   - fallback: the recommended action.
  ///   - message: the error message, without a full stop. Defaults to the name of the kind.
  ///   - advice: the recovery suggestion, without a full stop. Defaults to the name of the
  ///     fallback.
  ///   - trace: the steps and durations until the failure. Defaults to `nil`.
  public init(_ kind: Kind, fallback: Fallback, message: String? = nil, advice: String? = nil, trace: Trace? = nil) {
    self.kind = kind
    self.fallback = fallback
    self.trace = trace
    text = ErrorText(message: message ?? "\(kind)", advice: advice ?? "\(fallback)")
  }

  /// The kind of error. Later versions may add cases: use a `default` in a `switch`.
  public enum Kind: Sendable, Equatable {
    /// The phone number is not in E.164 format: a plus sign and 5 to 15 digits, the first not 0.
    /// Spaces, hyphens, dots and parentheses are allowed between them. Nothing was sent.
    case invalidPhoneNumber

    /// A setting is invalid. Nothing was sent. `setting`: its name in
    /// ``NumberVerifier/Configuration``, or `backend`.
    case invalidConfig(setting: String)

    /// The cellular network could not be used.
    case cellularUnavailable(CellularCause)

    /// A call to the app's backend failed. `step`: ``Step/start`` or ``Step/complete``; `status`:
    /// the HTTP status, if there was a response; `retryAfterSeconds`: the backend's `Retry-After`,
    /// if any.
    case backend(step: Step, reason: BackendCause, status: Int?, retryAfterSeconds: Int?)

    /// A request to the operator, over the cellular network, failed. `hop`: the request, counted
    /// from 1; `host`: its host; `status`: the HTTP status, if it is the reason; `alert`: the TLS
    /// alert that the server sent (RFC 8446, section 6), such as `handshake_failure`, if it is the
    /// reason.
    case authorization(hop: Int, host: String, reason: AuthorizationCause, status: Int?, alert: String?)

    /// The operator denied the request (RFC 6749, section 4.1.2.1, or a CAMARA error). `error`: the
    /// error code, such as `access_denied`; `nil` if it was not a plain code; `description`: the
    /// operator's `error_description` or `message`, if any; `hop` and `host`: the request that
    /// returned the error.
    case deniedByOperator(error: String?, description: OperatorMessage?, hop: Int, host: String)

    /// The `state` in the response does not match the request (RFC 6749, section 10.12): the
    /// response belongs to another verification. `hop` and `host`: the request that returned it.
    case stateMismatch(hop: Int, host: String)

    /// The deadline of the whole verification was exceeded. `step`: the step that was running.
    case deadlineExceeded(step: Step)

    /// The verification was cancelled. No method of this version throws it: a cancelled task throws
    /// `CancellationError` instead.
    case cancelled

    /// An internal error: a defect of the library, or the system refused to create a thread. Report
    /// it.
    case `internal`
  }
}

extension VerifyError: LocalizedError, CustomStringConvertible {
  /// The error message, one sentence.
  public var errorDescription: String? { "\(text.message)." }

  /// The recommended action, one sentence.
  public var recoverySuggestion: String? { "\(text.advice.prefix(1).uppercased())\(text.advice.dropFirst())." }

  /// Error message and recommended action.
  public var description: String { "\(text.message): \(text.advice)." }
}

/// The operator's description of an error, at most 200 characters; omitted if it contains the phone
/// number or another secret of the verification. For diagnostics only: never included in
/// `description` or `debugDescription`.
public struct OperatorMessage: Sendable, Equatable {
  private let message: Secret

  /// Creates a message, for unit tests of apps.
  public init(_ text: String) {
    message = Secret(text)
  }

  init(_ core: NumberVerifyCore.OperatorMessage) {
    message = Secret(core.text())
  }

  /// The text.
  public func text() -> String { message.text }
}

extension VerifyError {
  /// Converts an error thrown by a call to the core: a `CoreError`, or, for a panic, an error of
  /// uniffi.
  init(_ error: any Error, trace: Trace?) {
    let core = error as? CoreError ?? .Internal
    kind = Kind(core)
    fallback = Fallback(core.fallback())
    text = ErrorText(core)
    self.trace = trace
  }
}

extension VerifyError.Kind {
  fileprivate init(_ core: CoreError) {
    self =
      switch core {
      case .InvalidPhoneNumber: .invalidPhoneNumber
      case .InvalidConfig(let setting): .invalidConfig(setting: setting.spelling)
      case .CellularUnavailable(let reason): .cellularUnavailable(CellularCause(reason))
      case .Backend(let step, let reason, let status, let retryAfterS, _):
        .backend(
          step: Step(step), reason: BackendCause(reason), status: status.map { Int($0) },
          retryAfterSeconds: retryAfterS.map { Int($0) })
      case .Authorization(let hop, let host, let reason, let status, let alert, _):
        .authorization(
          hop: Int(hop), host: host, reason: AuthorizationCause(reason), status: status.map { Int($0) }, alert: alert)
      case .DeniedByOperator(let error, let description, let hop, let host):
        .deniedByOperator(error: error, description: description.map { OperatorMessage($0) }, hop: Int(hop), host: host)
      case .StateMismatch(let hop, let host): .stateMismatch(hop: Int(hop), host: host)
      case .DeadlineExceeded(let step): .deadlineExceeded(step: Step(step))
      case .Cancelled: .cancelled
      case .Internal: .internal
      }
  }
}

func orVerifyError<Value>(_ call: () throws -> Value) throws -> Value {
  do {
    return try call()
  } catch {
    throw VerifyError(error, trace: nil)
  }
}
