import Foundation
import NumberVerify
import Testing

/// Every error of a verification, produced over real sockets: its kind, its fallback, and that its
/// texts are well-formed sentences without secrets.
@Suite(.timeLimit(.minutes(2)))
struct ErrorTests {
  @Test(arguments: ["4155550100", "+0155550100", "+1415", "+1415555010012345", "", "+1415555x100"])
  func invalidPhoneNumberIsRejected(input: String) async throws {
    let phone = Loopback()
    let error = try await failure(NumberVerifier(phone), input)
    #expect(error.kind == .invalidPhoneNumber)
    #expect(error.fallback == .fixIntegration)
    #expect(await phone.counts.acquired == 0)
    #expect(
      error.description
        == "The phone number is not in E.164 form: ask for a plus sign and 5 to 15 digits that do not begin with 0, such as +12025550123.")
  }

  @Test(arguments: [
    (CellularCause.noInterface, Fallback.useAnotherChannel), (.interfaceDown, .useAnotherChannel), (.vpn, .useAnotherChannel),
    (.blockedInBackground, .askToEnableMobileData), (.dataOff, .askToEnableMobileData), (.airplane, .useAnotherChannel),
    (.noSIM, .useAnotherChannel), (.notDataSIM, .useAnotherChannel), (.permission, .fixIntegration),
    (.tooManyRequests, .retryLater), (.systemFault, .retryLater), (.timeout, .useAnotherChannel), (.unsupported, .useAnotherChannel),
  ])
  func cellularCauseDeterminesTheFallback(cause: CellularCause, fallback: Fallback) async throws {
    let phone = Loopback(.fails(CellularError(cause)))
    let error = try await failure(NumberVerifier(phone))
    #expect(error.kind == .cellularUnavailable(cause))
    #expect(error.fallback == fallback)
    await phone.waitUntilReleased()
  }

  @Test func unusableBindingIsUnsupported() async throws {
    #expect(try await failure(NumberVerifier(Loopback(binding: .appleInterface(index: 1)))).kind == .cellularUnavailable(.unsupported))
    let absent = Loopback(binding: .linuxInterface(name: "absent0"))
    #expect(try await failure(NumberVerifier(absent)).kind == .cellularUnavailable(.noInterface))
  }

  @Test func acquireTimesOut() async throws {
    let phone = Loopback(.neverReturns)
    let error = try await failure(NumberVerifier(phone) { $0.deadlines.acquireMs = 20 })
    #expect(error.kind == .cellularUnavailable(.timeout))
    await phone.waitUntilNotHeld()
  }

  @Test func unboundNetworkIsRejectedUnlessAllowed() async throws {
    let error = try await failure(NumberVerifier(Loopback(binding: .unbound)))
    #expect(error.kind == .invalidConfig(setting: "anyNetwork"))
    let allowed = try NumberVerifier(Loopback(binding: .unbound)) { $0.development.anyNetwork = true }
    #expect(try await allowed.verify(phoneNumber: Simulator.number).trace.network == .unbound)
  }

  @Test func builtInBackendClientErrorsAreReported() async throws {
    let simulator = Simulator.shared
    let unknown = try NumberVerifier(cellular: Loopback(), backend: simulator.backend("x"), configure: simulator.configure)
    #expect(try await failure(unknown).kind == .backend(step: .start, reason: .status, status: 404, retryAfterSeconds: nil))

    let port = try ClosedPort()
    let closed = try NumberVerifier(cellular: Loopback(), backend: "https://127.0.0.1:\(port.number)", configure: simulator.configure)
    let unreachable = try await failure(closed)
    #expect(unreachable.kind == .backend(step: .start, reason: .unreachable, status: nil, retryAfterSeconds: nil))
    #expect(unreachable.fallback == .retryLater)
    #expect(unreachable.description == "The backend could not be reached during start: try again later.")

    let untrusted = try NumberVerifier(cellular: Loopback(), backend: simulator.backend("a")) {
      $0.development.resolve = simulator.hosts
    }
    let tls = try await failure(untrusted)
    #expect(tls.kind == .backend(step: .start, reason: .tls, status: nil, retryAfterSeconds: nil))
    #expect(tls.fallback == .fixIntegration)
  }

  @Test(arguments: [
    (BackendError.unreachable, BackendCause.unreachable, Fallback.retryLater),
    (.tls, .tls, .fixIntegration),
    (.timeout, .timeout, .retryLater),
    (.status(409), .status, .useAnotherChannel),
    (.status(503, retryAfterSeconds: 60), .status, .retryLater),
    (.status(500, fallback: .useAnotherChannel), .status, .useAnotherChannel),
    (.malformedAnswer(status: 200), .malformedAnswer, .fixIntegration),
  ])
  func customBackendErrorsAreReported(error: BackendError, cause: BackendCause, fallback: Fallback) async throws {
    let backend = ScriptedBackend(start: { _ in throw error })
    let failed = try await failure(NumberVerifier(Loopback(), backend: backend))
    guard case .backend(.start, cause, let status, let retryAfterSeconds) = failed.kind else { Issue.record("\(failed.kind)"); return }
    #expect(failed.fallback == fallback)
    if case .status(let code, _, let seconds) = error {
      #expect(status == code)
      #expect(retryAfterSeconds == seconds)
    }
    if retryAfterSeconds == 60 { #expect(failed.recoverySuggestion == "Try again in 60 s.") }
  }

  @Test(arguments: [#"{"verified":"true"}"#, "{}", "not JSON"])
  func invalidCompleteResponseIsMalformed(response: String) async throws {
    let backend = ScriptedBackend(
      start: { _ in AuthorizationStart(authURL: Simulator.shared.authURL(operator: "a", state: "s")) }, complete: { _ in response })
    let error = try await failure(NumberVerifier(Loopback(), backend: backend))
    guard case .backend(.complete, .malformedAnswer, _, nil) = error.kind else { Issue.record("\(error.kind)"); return }
    #expect(error.trace?.hops.isEmpty == false)
  }

  @Test(arguments: [
    ("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", AuthorizationCause.httpStatus, Fallback.retryLater),
    ("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", .httpStatus, .useAnotherChannel),
    ("HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n<title>Accept?</title>", .unexpectedPage, .useAnotherChannel),
    ("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", .badLocation, .useAnotherChannel),
    ("HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", .forbiddenRedirect, .useAnotherChannel),
    ("HTTP/1.1 302 Found\r\nLocation: ?again\r\nContent-Length: 0\r\n\r\n", .redirectLoop, .useAnotherChannel),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nfive!", .malformedResponse, .useAnotherChannel),
    ("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + String(repeating: "x", count: 70000), .tooLarge, .useAnotherChannel),
    ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", .closed, .useAnotherChannel),
  ])
  func operatorResponseErrorsAreReported(bytes: String, cause: AuthorizationCause, fallback: Fallback) async throws {
    let error = try await failure(through: TestServer { _ in .bytes(bytes) })
    guard case .authorization(let hop, TestServer.host, cause, let status, nil) = error.kind else {
      Issue.record("\(cause): \(error.kind)")
      return
    }
    #expect(hop >= 3)
    #expect(error.fallback == fallback)
    #expect((status != nil) == (cause == .httpStatus))
    #expect(error.trace?.hops.last?.pageTitle == (cause == .unexpectedPage ? "Accept?" : nil))
  }

  @Test func silentOperatorTimesOut() async throws {
    // On a busy machine, a host before the silent one may time out.
    let error = try await failure(through: TestServer { _ in .silence }) { $0.deadlines.answerMs = 1_500 }
    guard case .authorization(let hop, let host, .timeout, nil, nil) = error.kind else { Issue.record("\(error.kind)"); return }
    #expect(error.fallback == .useAnotherChannel)
    let message = "The operator's host \(host) (hop \(hop)) did not respond in time"
    #expect(error.description == "\(message): verify the number in another way, such as a code by SMS.")
  }

  @Test func unreachableOrUnknownOperatorHostIsReported() async throws {
    let host = "nowhere.simulator.test"
    let port = try ClosedPort()
    let nameServer = try #require(Simulator.shared.dns)
    func kind(_ resolve: [String]) async throws -> VerifyError.Kind {
      let backend = ScriptedBackend(authURL: "https://\(host):\(port.number)/")
      return try await failure(
        NumberVerifier(Loopback(), backend: backend) {
          $0.development.resolve += resolve
          $0.development.dnsServers = [nameServer]
        }
      ).kind
    }
    let unreachable = try await kind(["\(host):\(port.number):127.0.0.1"])
    #expect(unreachable == .authorization(hop: 1, host: host, reason: .connect, status: nil, alert: nil))
    let unknown = try await kind([])
    #expect(unknown == .authorization(hop: 1, host: host, reason: .dns, status: nil, alert: nil))
  }

  @Test func untrustedOperatorCertificateIsRejected() async throws {
    let backend = ScriptedBackend(authURL: Simulator.shared.authURL(operator: "a", state: "s"))
    let verifier = try NumberVerifier(cellular: Loopback(), backend: backend, backendURL: "https://unused.test") {
      $0.development.resolve = Simulator.shared.hosts
    }
    let error = try await failure(verifier)
    #expect(error.kind == .authorization(hop: 1, host: "auth.simulator.test", reason: .tls, status: nil, alert: nil))
  }

  @Test func cleartextAndRedirectLimitAreEnforced() async throws {
    let backend = ScriptedBackend(authURL: Simulator.shared.authURL(operator: "b", state: "s"))
    let cleartext = try await failure(NumberVerifier(Loopback(), backend: backend) { $0.cleartext = .never })
    guard case .authorization(_, _, .forbiddenRedirect, nil, nil) = cleartext.kind else { Issue.record("\(cleartext.kind)"); return }
    let limit = try await failure(NumberVerifier(Loopback(), backend: backend) { $0.redirectLimit = 2 })
    guard case .authorization(_, _, .tooManyRedirects, nil, nil) = limit.kind else { Issue.record("\(limit.kind)"); return }
  }

  @Test(arguments: [
    ("access_denied", Fallback.useAnotherChannel), ("server_error", .retryLater), ("invalid_scope", .fixIntegration),
  ])
  func operatorDenialIsReported(code: String, fallback: Fallback) async throws {
    let server = try TestServer { request in
      let body = #"{"error":"\#(code)","error_description":"Not today.","state":"\#(state(in: request))"}"#
      return .bytes("HTTP/1.1 403 No\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }
    let error = try await failure(through: server)
    guard case .deniedByOperator(code, let description, 3, TestServer.host) = error.kind else { Issue.record("\(error.kind)"); return }
    #expect(error.fallback == fallback)
    #expect(description?.text() == "Not today.")
    #expect(!error.description.contains("today"))
  }

  @Test func denialDescriptionWithASecretIsOmitted() async throws {
    let server = try TestServer { request in
      let body = #"{"error":"access_denied","error_description":"Not today, \#(state(in: request))."}"#
      return .bytes("HTTP/1.1 403 No\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }
    let error = try await failure(through: server)
    guard case .deniedByOperator("access_denied", nil, 3, TestServer.host) = error.kind else { Issue.record("\(error.kind)"); return }
  }

  @Test func stateOfAnotherVerificationIsAMismatch() async throws {
    let location = "myapp://done?error=access_denied&state=another"
    let error = try await failure(
      through: TestServer { _ in .bytes("HTTP/1.1 302 Found\r\nLocation: \(location)\r\nContent-Length: 0\r\n\r\n") })
    #expect(error.kind == .stateMismatch(hop: 3, host: TestServer.host))
    #expect(error.fallback == .useAnotherChannel)
  }

  @Test func overallDeadlineIsEnforced() async throws {
    let verifier = try NumberVerifier(Loopback(), backend: ScriptedBackend(start: { _ in try await untilCancelled() })) {
      $0.deadlines.overallMs = 50
    }
    let error = try await failure(verifier)
    #expect(error.kind == .deadlineExceeded(step: .start))
    #expect(error.fallback == .retryLater)
    #expect(error.trace != nil)
  }

  private func failure(
    through server: TestServer, configure: (inout NumberVerifier.Configuration) -> Void = { _ in }
  ) async throws -> VerifyError {
    let backend = ScriptedBackend(authURL: Simulator.shared.authURL(operator: "b", state: "s"))
    return try await failure(
      NumberVerifier(Loopback(), backend: backend) {
        $0.development.resolve.removeAll { $0.hasPrefix(TestServer.host) }
        $0.development.resolve.append(server.resolve)
        configure(&$0)
      })
  }

  /// Returns the error of a verification, after checking its texts.
  private func failure(_ verifier: NumberVerifier, _ number: String = Simulator.number) async throws -> VerifyError {
    let failed = await thrown(by: { try await verifier.verify(phoneNumber: number) })
    let error = try #require(failed as? VerifyError, "\(String(describing: failed))")
    let texts = [error.errorDescription, error.recoverySuggestion, error.description, error.localizedDescription].compactMap { $0 }
    #expect(texts.count == 4)
    for text in texts {
      #expect(text.hasSuffix("."))
      #expect(text.first?.isUppercase == true)
      #expect(!text.contains("Optional"))
      #expect(!text.contains(number) || number.isEmpty || error.kind == .invalidPhoneNumber)
    }
    #expect(error.localizedDescription == error.errorDescription)
    return error
  }
}
