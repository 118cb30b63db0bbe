internal import NumberVerifyCore

/// The result of a verification.
public struct Verification: Sendable, Equatable {
  /// Whether the operator confirmed that the SIM in this phone owns the number. `false`: the SIM
  /// that was used has another number; on a phone with two SIMs, the number may belong to the other
  /// SIM.
  public let verified: Bool

  /// The steps and durations of the verification; safe to send to support.
  public let trace: Trace

  private let response: Secret

  /// Creates a result, for unit tests of apps.
  public init(verified: Bool, responseJSON: String = "{}", trace: Trace = Trace()) {
    self.verified = verified
    self.trace = trace
    response = Secret(responseJSON)
  }

  init(_ core: NumberVerifyCore.Verification) {
    self.init(verified: core.verified(), responseJSON: core.responseJson(), trace: Trace(core.trace()))
  }

  /// The backend's raw JSON response, for custom fields. Not included in `description`,
  /// `debugDescription` or `dump`.
  public func responseJSON() -> String { response.text }
}

extension Verification: CustomStringConvertible {
  /// The name of the type and ``verified``.
  public var description: String { "Verification(verified: \(verified))" }
}
