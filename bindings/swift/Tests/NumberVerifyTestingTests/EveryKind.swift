import NumberVerify

let everyKind: [VerifyError.Kind] = [
  .invalidPhoneNumber,
  .invalidConfig(setting: "hints"),
  .cellularUnavailable(.timeout),
  .backend(step: .start, reason: .status, status: 503, retryAfterSeconds: 60),
  .authorization(hop: 1, host: "a.test", reason: .tls, status: nil, alert: "handshake_failure"),
  .deniedByOperator(error: "access_denied", description: OperatorMessage("canary"), hop: 1, host: "a.test"),
  .stateMismatch(hop: 1, host: "a.test"),
  .deadlineExceeded(step: .authorize),
  .cancelled,
  .internal,
]
