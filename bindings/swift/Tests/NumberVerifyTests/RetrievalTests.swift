import Foundation
import NumberVerify
import Testing

/// Retrieval of the SIM's number: the requests to the backend, and which responses are valid.
@Suite(.timeLimit(.minutes(2)))
struct RetrievalTests {
  private static let complete = TestBackend.Response(body: #"{"phoneNumber":"\#(Simulator.number)","level":3}"#)

  private static func verifier(_ phone: Loopback = Loopback(), returning response: String) throws -> NumberVerifier {
    let backend = ScriptedBackend(
      start: { _ in AuthorizationStart(authURL: Simulator.shared.authURL(operator: "a", state: "s")) }, complete: { _ in response })
    return try NumberVerifier(phone, backend: backend)
  }

  @Test func numberIsRetrieved() async throws {
    let (phone, backend) = (Loopback(), try TestBackend(complete: Self.complete))
    let number = try await NumberVerifier(phone, backend: backend).retrieve()
    #expect(number.phoneNumber == Simulator.number)
    #expect(number.responseJSON() == Self.complete.body)
    #expect(number.trace.hops.isEmpty == false)
    #expect(number.trace.network == .linuxInterface)
    #expect(try backend.bodies(to: "start") == [["purpose": "device-phone-number"]])
    #expect(try backend.bodies(to: "complete").map { $0?.keys.sorted() } == [["code", "state"]])
    await phone.waitUntilReleased()
  }

  @Test func verificationSendsNoPurpose() async throws {
    let backend = try TestBackend(complete: TestBackend.Response(body: #"{"verified":true}"#))
    #expect(try await NumberVerifier(Loopback(), backend: backend).verify(phoneNumber: Simulator.number).verified)
    #expect(try backend.bodies(to: "start") == [["phoneNumber": Simulator.number]])
  }

  @Test func optionsReachTheBackend() async throws {
    let backend = try TestBackend(complete: Self.complete)
    let number = try await NumberVerifier(Loopback(), backend: backend).retrieve {
      $0.setHeader("Authorization", "Bearer token-1")
      $0.setStartField("attestation", "attestation-2")
      $0.correlator = "sign-in:42"
    }
    #expect(number.trace.correlator == "sign-in:42")
    #expect(try backend.bodies(to: "start") == [["purpose": "device-phone-number", "attestation": "attestation-2"]])
    for path in ["start", "complete"] {
      let request = try #require(backend.requests(to: path).first).lowercased()
      #expect(request.contains("\r\nauthorization: bearer token-1\r\n"))
      #expect(request.contains("\r\nx-correlator: sign-in:42\r\n"))
    }
  }

  @Test func progressEndsWithTheNumber() async throws {
    let backend = try TestBackend(complete: Self.complete)
    let retrieving = try NumberVerifier(Loopback(), backend: backend).retrieving { $0.correlator = "attempt:1" }
    #expect(backend.requests(to: "start").isEmpty)
    var iterator = retrieving.makeAsyncIterator()
    var events: [NumberVerifier.Progress] = []
    while let event = try await iterator.next() { events.append(event) }
    guard case .retrieved(let number) = events.last else { Issue.record("no number: \(events)"); return }
    #expect(number.phoneNumber == Simulator.number)
    #expect(number.trace.correlator == "attempt:1")
    #expect(events.compactMap { if case .hopAnswered(let hop, _) = $0 { hop } else { nil } } == number.trace.hops)
    for step in Step.allCases {
      #expect(events.contains { if case .stepEnded(step, _) = $0 { true } else { false } }, "\(step)")
    }
    #expect(try await iterator.next() == nil)
  }

  @Test func customBackendReceivesNoNumber() async throws {
    let backend = ScriptedBackend(
      start: { request in
        #expect(request.phoneNumber == nil)
        return AuthorizationStart(authURL: Simulator.shared.authURL(operator: "a", state: "s"))
      },
      complete: { _ in #"{"devicePhoneNumber":"\#(Simulator.number)"}"# })
    #expect(try await NumberVerifier(Loopback(), backend: backend).retrieve().phoneNumber == Simulator.number)
  }

  @Test func fieldNameOfTheNumberIsConfigurable() async throws {
    let backend = try TestBackend(complete: TestBackend.Response(body: #"{"msisdn":"\#(Simulator.number)"}"#))
    let verifier = try NumberVerifier(Loopback(), backend: backend) { $0.fieldNames.phoneNumber = "msisdn" }
    #expect(try await verifier.retrieve().phoneNumber == Simulator.number)
  }

  @Test(arguments: [
    #"{"verified":true}"#, #"{"devicePhoneNumberVerified":false}"#, #"{"phoneNumber":"+14155550100","verified":true}"#,
    #"{"phoneNumber":"+14155550100","devicePhoneNumber":"+14155550199"}"#, #"{"phoneNumber":"4155550100"}"#,
    #"{"phoneNumber":"+1 415 555 0100"}"#, #"{"phoneNumber":"+1415"}"#, #"{"phoneNumber":14155550100}"#, #"{"phoneNumber":null}"#, "{}",
    "not JSON",
  ])
  func responseWithoutExactlyOneNumberIsMalformed(response: String) async throws {
    let phone = Loopback()
    let verifier = try Self.verifier(phone, returning: response)
    try expectMalformed(await thrown { try await verifier.retrieve() })
    await phone.waitUntilReleased()
  }

  @Test(arguments: [
    #"{"phoneNumber":"+14155550100"}"#, #"{"devicePhoneNumber":"+14155550100"}"#, #"{"verified":true,"phoneNumber":"+14155550100"}"#,
  ])
  func verificationResponseWithANumberIsMalformed(response: String) async throws {
    let verifier = try Self.verifier(returning: response)
    try expectMalformed(await thrown { try await verifier.verify(phoneNumber: Simulator.number) })
  }

  private func expectMalformed(_ failure: (any Error)?) throws {
    let error = try #require(failure as? VerifyError)
    #expect(error.kind == .backend(step: .complete, reason: .malformedAnswer, status: nil, retryAfterSeconds: nil))
    #expect(error.fallback == .fixIntegration)
    #expect(error.trace?.hops.isEmpty == false)
  }

  @Test func backendWithoutRetrievalReturns501() async throws {
    let problem = #"{"type":"about:blank","title":"Not Implemented","status":501,"fallback":"fix_integration"}"#
    let notImplemented = TestBackend.Response(status: 501, contentType: "application/problem+json", body: problem)
    let backend = try TestBackend(start: notImplemented, complete: Self.complete)
    let verifier = try NumberVerifier(Loopback(), backend: backend)
    let error = try #require(await thrown { try await verifier.retrieve() } as? VerifyError)
    #expect(error.kind == .backend(step: .start, reason: .status, status: 501, retryAfterSeconds: nil))
    #expect(error.fallback == .fixIntegration)
    #expect(error.trace?.startMs != nil)
    #expect(backend.requests(to: "complete").isEmpty)
  }

  @Test func progressThrowsTheErrorOfTheRetrieval() async throws {
    let retrieving = try NumberVerifier(Loopback(.fails(CellularError(.dataOff)))).retrieving()
    await #expect { for try await _ in retrieving {} } throws: { ($0 as? VerifyError)?.kind == .cellularUnavailable(.dataOff) }
  }

  @Test func invalidOptionIsReportedByNameAndNothingIsSent() async throws {
    let phone = Loopback()
    let verifier = try NumberVerifier(phone)
    let failure = await thrown { try await verifier.retrieve { $0.setStartField("purpose", "canary") } }
    let error = try #require(failure as? VerifyError)
    #expect(error.kind == .invalidConfig(setting: "startFields"))
    #expect(await phone.counts == Loopback.Counts())
  }
}
