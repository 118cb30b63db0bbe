internal import NumberVerifyCore

/// A verdict.
public struct Verification: Sendable, Equatable {
  /// Whether the operator confirmed that this phone has the number. `false`: the SIM that was used has another number; on a phone with two
  /// SIMs it may be the other one that has it.
  public let verified: Bool

  /// What the verification did; safe to send to support.
  public let trace: Trace

  private let response: Secret

  /// A result for an app's own tests.
  public init(verified: Bool, responseJSON: String = "{}", trace: Trace = Trace()) {
    self.verified = verified
    self.trace = trace
    response = Secret(responseJSON)
  }

  init(_ core: NumberVerifyCore.Verification) {
    self.init(verified: core.verified(), responseJSON: core.responseJson(), trace: Trace(core.trace()))
  }

  /// The backend's whole answer, a JSON object, for members of its own. It is in no printed form of this value.
  public func responseJSON() -> String { response.text }
}

extension Verification: CustomStringConvertible {
  /// The verdict alone.
  public var description: String { "Verification(verified: \(verified))" }
}
