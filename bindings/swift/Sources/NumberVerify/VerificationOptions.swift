internal import NumberVerifyCore

/// What one verification or retrieval adds to the settings of its ``NumberVerifier``. All of it is optional.
///
/// ```swift
/// let verification = try await verifier.verify(phoneNumber: "+14155550100") {
///   $0.setHeader("Authorization", "Bearer …")
///   $0.setStartField("attestation", "…")
/// }
/// ```
///
/// No value is in a printed form.
public struct VerificationOptions: Sendable, Equatable {
  /// The `x-correlator` of this verification's calls to the backend, and of its ``Trace``. Defaults to a random UUID. 1 to 256 of the
  /// characters `A-Z a-z 0-9 - _ : ; . / < > { }` (CAMARA). It is safe to log, so it must contain neither the phone number nor a secret of the
  /// headers and start fields. Prefer a UUID: backends may log and pass on nothing else, as the reference backends do.
  public var correlator: String?

  private var headers: [String: Secret] = [:]
  private var startFields: [String: StartField] = [:]

  private enum StartField: Equatable {
    case text(Secret)
    case json(Secret)
  }

  /// Options to compare with, in an app's own tests.
  public init(_ configure: (inout Self) -> Void = { _ in }) {
    configure(&self)
  }

  /// Sets a header of the backend's calls of this verification, such as an access token that expires. It replaces the header of
  /// ``NumberVerifier/Configuration/addHeader(_:_:)`` with the same name. It never goes to an operator.
  ///
  /// - Parameters:
  ///   - name: an HTTP token that no other header here has in upper or lower case, and no name that the client sets itself.
  ///   - value: printable ASCII.
  public mutating func setHeader(_ name: String, _ value: String) {
    headers[name] = Secret(value)
  }

  /// Sets a member of the start request to a string, such as an assertion of App Attest as `attestation`.
  ///
  /// - Parameters:
  ///   - name: 1 to 64 characters, and none that the contract uses (``NumberVerifier/Configuration/FieldNames``, `purpose`). At most 16
  ///     members, whose names and JSON texts have 16 KiB in all.
  ///   - value: any text.
  public mutating func setStartField(_ name: String, _ value: String) {
    startFields[name] = .text(Secret(value))
  }

  /// Sets a member of the start request to any JSON value.
  ///
  /// - Parameters:
  ///   - name: as for ``setStartField(_:_:)``.
  ///   - json: JSON text, such as `{"token":"…"}` or `true`. It is sent as the same value, not as the same text.
  public mutating func setStartField(_ name: String, json: String) {
    startFields[name] = .json(Secret(json))
  }

  var core: NumberVerifyCore.VerificationOptions {
    NumberVerifyCore.VerificationOptions(
      headers: headers.map { NumberVerifyCore.Header(name: $0.key, value: $0.value.text) },
      startFields: startFields.map { name, field in
        switch field {
        case .text(let text): CoreStartField.withText(name: name, text: text.text)
        case .json(let json): CoreStartField(name: name, json: json.text)
        }
      },
      correlator: correlator
    )
  }
}
