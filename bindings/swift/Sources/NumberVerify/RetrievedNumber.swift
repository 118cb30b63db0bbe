internal import NumberVerifyCore

/// The phone number of the SIM, by its operator. Personal data: show it to the user, and do not log it. It is not part of `description`,
/// `debugDescription` or `dump`.
public struct RetrievedNumber: Sendable, Equatable {
  /// What the retrieval did; safe to send to support.
  public let trace: Trace

  private let number: Secret
  private let response: Secret

  /// A result for an app's own tests.
  public init(phoneNumber: String, responseJSON: String = "{}", trace: Trace = Trace()) {
    self.trace = trace
    number = Secret(phoneNumber)
    response = Secret(responseJSON)
  }

  init(_ core: NumberVerifyCore.RetrievedNumber) {
    self.init(phoneNumber: core.phoneNumber(), responseJSON: core.responseJson(), trace: Trace(core.trace()))
  }

  /// The phone number, in E.164 form. It is for this app's screen: a backend must not trust a number that a phone sends, but use the one that
  /// the operator returned to the backend itself.
  public var phoneNumber: String { number.text }

  /// The backend's whole response, a JSON object, for custom members. It contains the number.
  public func responseJSON() -> String { response.text }
}

extension RetrievedNumber: CustomStringConvertible {
  /// The name of the type.
  public var description: String { "RetrievedNumber" }
}
