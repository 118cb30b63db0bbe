internal import NumberVerifyCore

/// The phone number of the SIM, as returned by its operator. Personal data: do not log it. It is
/// not included in `description`, `debugDescription` or `dump`.
public struct RetrievedNumber: Sendable, Equatable {
  /// The steps and durations of the retrieval; safe to send to support.
  public let trace: Trace

  private let number: Secret
  private let response: Secret

  /// Creates a result, for unit tests of apps.
  public init(phoneNumber: String, responseJSON: String = "{}", trace: Trace = Trace()) {
    self.trace = trace
    number = Secret(phoneNumber)
    response = Secret(responseJSON)
  }

  init(_ core: NumberVerifyCore.RetrievedNumber) {
    self.init(phoneNumber: core.phoneNumber(), responseJSON: core.responseJson(), trace: Trace(core.trace()))
  }

  /// The phone number in E.164 format, for display in the app only. A backend must not trust a
  /// number sent by a phone, but use the one that the operator returned to the backend itself.
  public var phoneNumber: String { number.text }

  /// The backend's raw JSON response, for custom fields. Contains the number.
  public func responseJSON() -> String { response.text }
}

extension RetrievedNumber: CustomStringConvertible {
  /// The name of the type.
  public var description: String { "RetrievedNumber" }
}
