public import Foundation
internal import NumberVerifyCore

/// Why there is no result. "Not verified" is not an error: it is a ``Verification``.
///
/// Decide by ``fallback``; it is there for every error, also one that a later version adds. The texts are English sentences for a developer.
/// They hold no phone number, code, cookie or text of another party, and neither does any value but ``OperatorMessage/text()``.
public struct VerifyError: Error, Sendable, Equatable {
  /// What went wrong.
  public let kind: Kind

  /// What the app should do now.
  public let fallback: Fallback

  /// What the verification did until it failed; `nil` where none was running.
  public let trace: Trace?

  private let text: ErrorText

  /// An error for an app's own tests. Fallback and texts of a real error come from the Rust core.
  ///
  /// - Parameters:
  ///   - kind: what went wrong.
  ///   - fallback: what the app should do.
  ///   - message: what happened, without a full stop. Defaults to the name of the kind.
  ///   - advice: what to do, without a full stop. Defaults to the name of the fallback.
  ///   - trace: what the verification did.
  public init(_ kind: Kind, fallback: Fallback, message: String? = nil, advice: String? = nil, trace: Trace? = nil) {
    self.kind = kind
    self.fallback = fallback
    self.trace = trace
    text = ErrorText(message: message ?? "\(kind)", advice: advice ?? "\(fallback)")
  }

  /// What went wrong. A later version may have further kinds: give a `switch` a `default`.
  public enum Kind: Sendable, Equatable {
    /// The phone number is not in E.164 form: a plus sign, then 5 to 15 digits of which the first is not 0. Spaces, hyphens, dots and
    /// parentheses are allowed between them. Nothing was sent.
    case invalidPhoneNumber

    /// A setting has a value that cannot work. Nothing was sent. `setting`: its name in ``NumberVerifier/Configuration``, or `backend`.
    case invalidConfig(setting: String)

    /// The cellular network could not be used.
    case cellularUnavailable(CellularCause)

    /// A call to the app's own backend failed. `step`: ``Step/start`` or ``Step/complete``; `status`: the HTTP status, where there was an
    /// answer; `retryAfterSeconds`: how long to wait before another attempt, where the backend said so (`Retry-After`).
    case backend(step: Step, reason: BackendCause, status: Int?, retryAfterSeconds: Int?)

    /// The operator's side failed, on the cellular network. `hop`: the request that failed, counted from 1; `host`: where it was sent to;
    /// `status`: the HTTP status, where it is the reason; `alert`: the TLS alert that the server sent (RFC 8446, section 6), such as
    /// `handshake_failure`, where it is the reason.
    case authorization(hop: Int, host: String, reason: AuthorizationCause, status: Int?, alert: String?)

    /// The operator refused (RFC 6749, section 4.1.2.1, or a CAMARA error). `error`: its code, such as `access_denied`; `nil` where it was
    /// not a plain code; `description`: what the operator said about it, if anything; `hop` and `host`: the request that brought it.
    case deniedByOperator(error: String?, description: OperatorMessage?, hop: Int, host: String)

    /// The answer carries another `state` than the request (RFC 6749, section 10.12): it belongs to another verification. `hop` and `host`:
    /// the request that brought it.
    case stateMismatch(hop: Int, host: String)

    /// The time for the whole verification is over. `step`: the one that was running.
    case deadlineExceeded(step: Step)

    /// The verification was ended without a result. No function of this version throws it: a task that is cancelled gets a
    /// `CancellationError` instead.
    case cancelled

    /// The library failed: a fault in it, or the system refused it a thread. Report it.
    case `internal`
  }
}

extension VerifyError: LocalizedError, CustomStringConvertible {
  /// What happened, in one sentence.
  public var errorDescription: String? { "\(text.message)." }

  /// What to do, in one sentence.
  public var recoverySuggestion: String? { "\(text.advice.prefix(1).uppercased())\(text.advice.dropFirst())." }

  /// Both.
  public var description: String { "\(text.message): \(text.advice)." }
}

/// The operator's text about a refusal, at most 200 characters, absent if it contains the phone number or another
/// secret of the verification. For diagnostics only: never part of `description` or `debugDescription`.
public struct OperatorMessage: Sendable, Equatable {
  private let message: Secret

  /// A text for an app's own tests.
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
  /// Of what a call of the core has thrown. It is a `CoreError` but for a panic in it, which uniffi reports as an error of its own.
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
