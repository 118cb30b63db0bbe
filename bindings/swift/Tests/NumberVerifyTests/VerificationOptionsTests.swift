import NumberVerify
import Testing

/// The options of one verification: the custom backend receives them, and no output contains them.
@Suite(.timeLimit(.minutes(2)))
struct VerificationOptionsTests {
  private let received = Received()

  private func verifier(_ phone: Loopback = Loopback()) throws -> NumberVerifier {
    let backend = ScriptedBackend(
      start: { [received] request in
        await received.start(headers: request.headers, fields: request.startFields)
        return AuthorizationStart(authURL: Simulator.shared.authURL(operator: "a", state: "s"))
      },
      complete: { [received] request in
        await received.complete(headers: request.headers)
        return #"{"verified":true}"#
      })
    return try NumberVerifier(phone, backend: backend)
  }

  private static func addAll(_ options: inout VerificationOptions) {
    options.setHeader("Authorization", "Bearer canary-1")
    options.setStartField("attestation", #"canary-2 "quoted" ü"#)
    options.setStartField("device", json: #"{"level": [1, true]}"#)
    options.correlator = "sign-in:42"
  }

  @Test func optionsReachTheBackendOfTheirVerificationOnly() async throws {
    let verifier = try verifier()
    let verification = try await verifier.verify(phoneNumber: Simulator.number, options: Self.addAll)
    #expect(verification.verified)
    #expect(verification.trace.correlator == "sign-in:42")
    #expect(!"\(verification) \(verification.trace) \(verification.trace.json())".contains("canary"))
    #expect(await received.headersOfStart == ["authorization": "Bearer canary-1"])
    #expect(await received.headersOfComplete == ["authorization": "Bearer canary-1"])
    #expect(await received.startFields == ["attestation": #""canary-2 \"quoted\" ü""#, "device": #"{"level":[1,true]}"#])

    let next = try await verifier.verify(phoneNumber: Simulator.number)
    #expect(next.trace.correlator != "sign-in:42")
    #expect(await received.headersOfStart == [:])
    #expect(await received.startFields == [:])
  }

  @Test func progressUsesTheOptions() async throws {
    var correlators: [String] = []
    for try await progress in try verifier().verifying(phoneNumber: Simulator.number, options: { $0.correlator = "attempt:1" }) {
      if case .done(let verification) = progress { correlators.append(verification.trace.correlator) }
    }
    #expect(correlators == ["attempt:1"])
  }

  enum Invalid: CaseIterable {
    case reservedHeader, duplicateHeader, contractField, notJSON, correlatorWithASpace, correlatorWithTheNumber

    var setting: String {
      switch self {
      case .reservedHeader, .duplicateHeader: "headers"
      case .contractField, .notJSON: "startFields"
      case .correlatorWithASpace, .correlatorWithTheNumber: "correlator"
      }
    }

    func change(_ options: inout VerificationOptions) {
      switch self {
      case .reservedHeader: options.setHeader("Cookie", "canary")
      case .duplicateHeader:
        options.setHeader("X-App", "canary")
        options.setHeader("x-app", "canary")
      case .contractField: options.setStartField("phoneNumber", "canary")
      case .notJSON: options.setStartField("attestation", json: "canary")
      case .correlatorWithASpace: options.correlator = "two words"
      case .correlatorWithTheNumber: options.correlator = "user-14155550100"
      }
    }
  }

  @Test(arguments: Invalid.allCases)
  func invalidOptionIsReportedByNameAndNothingIsSent(invalid: Invalid) async throws {
    let phone = Loopback()
    let verifier = try verifier(phone)
    let failure = await thrown { try await verifier.verify(phoneNumber: Simulator.number, options: invalid.change) }
    let error = try #require(failure as? VerifyError)
    #expect(error.kind == .invalidConfig(setting: invalid.setting))
    let output = "\(error) \(String(reflecting: error)) \(error.trace?.json() ?? "")"
    #expect(!output.contains("canary") && !output.contains("4155550100"))
    #expect(await received.headersOfStart == nil)
    #expect(await phone.counts == Loopback.Counts())
  }

  @Test func optionsDoNotPrintValues() async throws {
    var output = ""
    _ = try await verifier().verify(phoneNumber: Simulator.number) {
      Self.addAll(&$0)
      dump($0, to: &output)
      output += "\($0) \(String(reflecting: $0))"
    }
    #expect(output.contains("attestation") && !output.contains("canary"))
  }
}

private actor Received {
  private(set) var headersOfStart: [String: String]?
  private(set) var headersOfComplete: [String: String]?
  private(set) var startFields: [String: String]?

  func start(headers: [String: String], fields: [String: String]) {
    headersOfStart = headers
    startFields = fields
  }

  func complete(headers: [String: String]) { headersOfComplete = headers }
}
