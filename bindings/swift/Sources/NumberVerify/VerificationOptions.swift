internal import NumberVerifyCore

/// Options of one verification or retrieval, in addition to the settings of its ``NumberVerifier``.
/// All are optional.
///
/// ```swift
/// let verification = try await verifier.verify(phoneNumber: "+14155550100") {
///   $0.setHeader("Authorization", "Bearer \(accessToken)")
///   $0.setStartField("attestation", "…")
/// }
/// ```
///
/// Values are not included in `description` or `dump`, except ``correlator``.
public struct VerificationOptions: Sendable, Equatable {
  /// The `x-correlator` of this verification's calls to the backend, and of its ``Trace``. Defaults
  /// to `nil`: a random UUID. 1 to 256 of the characters `A-Z a-z 0-9 - _ : ; . / < > { }`
  /// (CAMARA). It may be logged, so it must contain neither the phone number nor a secret of the
  /// headers and start fields. Prefer a UUID: a backend may log and forward only UUIDs, as the
  /// reference backends do.
  public var correlator: String?

  private var headers: [String: Secret] = [:]
  private var startFields: [String: StartField] = [:]

  private enum StartField: Equatable {
    case text(Secret)
    case json(Secret)
  }

  /// Creates options, to compare with in unit tests of apps.
  public init(_ configure: (inout Self) -> Void = { _ in }) {
    configure(&self)
  }

  /// Sets a header of this verification's calls to the backend, such as a short-lived access token.
  /// It replaces the header of ``NumberVerifier/Configuration/addHeader(_:_:)`` with the same name.
  /// It is never sent to an operator.
  ///
  /// - Parameters:
  ///   - name: an HTTP token, unique among these headers (case-insensitive), and not a header that
  ///     the client sets itself.
  ///   - value: printable ASCII.
  public mutating func setHeader(_ name: String, _ value: String) {
    headers[name] = Secret(value)
  }

  /// Sets a member of the start request to a string, such as an App Attest assertion as
  /// `attestation`.
  ///
  /// - Parameters:
  ///   - name: 1 to 64 characters, and not a name that the contract uses
  ///     (``NumberVerifier/Configuration/FieldNames``, `purpose`). At most 16 members, with 16 KiB
  ///     of names and JSON text in total.
  ///   - value: any string.
  public mutating func setStartField(_ name: String, _ value: String) {
    startFields[name] = .text(Secret(value))
  }

  /// Sets a member of the start request to any JSON value.
  ///
  /// - Parameters:
  ///   - name: as for ``setStartField(_:_:)``.
  ///   - json: JSON text, such as `{"token":"…"}` or `true`. The value is preserved, its formatting
  ///     is not.
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
