import Foundation
import NumberVerify
import Testing

/// Phone number, code, state, session, cookies and headers contain canaries; no `description`,
/// `debugDescription` or `dump` output of a public value contains one.
@Suite(.timeLimit(.minutes(2)))
struct SecretsTests {
  @Test func noPublicValuePrintsASecret() async throws {
    let canaries = Canaries()
    let phone = Loopback()
    let backend = ScriptedBackend(
      start: { request in
        await canaries.print(request)
        let start = AuthorizationStart(
          authURL: Simulator.shared.authURL(operator: "a", state: "canary-state"), session: "canary-session", state: "canary-state")
        await canaries.print(start)
        return start
      },
      complete: { request in
        await canaries.plant(request.code)
        await canaries.print(request)
        return #"{"verified":true,"name":"canary-response"}"#
      })
    var configuration: NumberVerifier.Configuration?
    let verifier = try NumberVerifier(phone, backend: backend) {
      $0.addHeader("Authorization", "canary-header")
      $0.addOperatorHeader("X-Operator", "canary-operator-header")
      configuration = $0
    }
    await canaries.print(configuration as Any)
    await canaries.print(verifier)

    let progress = verifier.verifying(phoneNumber: Simulator.number)
    await canaries.print(progress)
    for try await event in progress {
      await canaries.print(event)
      guard case .done(let verification) = event else { continue }
      await canaries.print(verification)
      await canaries.print(verification.trace)
      await canaries.print(verification.trace.json())
      await canaries.print(verification.trace.table())
      #expect(verification.responseJSON().contains("canary-response"))
    }
    #expect(await canaries.found == [])
    #expect(await canaries.printed > 10)
    #expect(await canaries.all.count == 8)
  }

  @Test func noPublicValuePrintsTheRetrievedNumber() async throws {
    let canaries = Canaries()
    let backend = ScriptedBackend(
      start: { request in
        await canaries.print(request)
        return AuthorizationStart(authURL: Simulator.shared.authURL(operator: "a", state: "canary-state"))
      },
      complete: { _ in #"{"phoneNumber":"\#(Simulator.number)","name":"canary-response"}"# })
    for try await event in try NumberVerifier(Loopback(), backend: backend).retrieving() {
      await canaries.print(event)
      guard case .retrieved(let number) = event else { continue }
      #expect(number.phoneNumber == Simulator.number)
      #expect(number.responseJSON().contains("canary-response"))
      await canaries.print(number)
      await canaries.print([number])
      await canaries.print(number.trace)
      await canaries.print(number.trace.json())
      await canaries.print(number.trace.table())
    }
    #expect(await canaries.found == [])
    #expect(await canaries.printed > 10)
  }

  /// The number before a retrieval has returned it.
  @Test(arguments: [
    #"{"error":"access_denied","error_description":"Not for +1 415 555 0100","state":"canary-state"}"#,
    #"{"error":"access_denied","error_description":"Not for +14155550100"}"#,
    "<title>+14155550100</title>",
  ])
  func noRetrievalErrorPrintsTheNumber(text: String) async throws {
    let canaries = Canaries()
    await canaries.plant("415 555 0100")
    await canaries.plant("4155550100")
    let server = try TestServer { _ in
      .bytes("HTTP/1.1 200 OK\r\nX-Request-ID: 4155550100\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
    }
    let backend = ScriptedBackend(authURL: Simulator.shared.authURL(operator: "b", state: "canary-state"))
    let verifier = try NumberVerifier(Loopback(), backend: backend) {
      $0.development.resolve.removeAll { $0.hasPrefix(TestServer.host) }
      $0.development.resolve.append(server.resolve)
    }
    let error = try #require(await thrown { try await verifier.retrieve() } as? VerifyError)
    #expect(error.trace?.hops.count == 3)
    if case .deniedByOperator(_, let description, _, _) = error.kind { #expect(description == nil) }
    await canaries.print(error)
    await canaries.print(error.kind)
    await canaries.print(error.localizedDescription)
    await canaries.print(error as NSError)
    if let trace = error.trace {
      await canaries.print(trace)
      await canaries.print(trace.json())
    }
    #expect(await canaries.found == [])
  }

  @Test func noErrorPrintsASecret() async throws {
    let canaries = Canaries()
    await canaries.plant("canary-text")
    let texts = [
      #"{"error":"access_denied","error_description":"canary-text for canary-state","state":"canary-state"}"#,
      #"{"error":"canary-cookie","state":"another"}"#,
      "<title>canary-state</title>",
    ]
    for text in texts {
      let server = try TestServer { _ in
        .bytes("HTTP/1.1 200 OK\r\nSet-Cookie: c=canary-cookie\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
      }
      let backend = ScriptedBackend(authURL: Simulator.shared.authURL(operator: "b", state: "canary-state"))
      let verifier = try NumberVerifier(Loopback(), backend: backend) {
        $0.development.resolve.removeAll { $0.hasPrefix(TestServer.host) }
        $0.development.resolve.append(server.resolve)
      }
      let error = try #require(await thrown { try await verifier.verify(phoneNumber: Simulator.number) } as? VerifyError)
      await canaries.print(error)
      await canaries.print(error.kind)
      await canaries.print(error.localizedDescription)
      await canaries.print(error as NSError)
      if let trace = error.trace { await canaries.print(trace) }
    }
    #expect(await canaries.found == [])
    #expect(await canaries.printed > 10)
  }
}

private actor Canaries {
  private(set) var all = [
    Simulator.number, "canary-state", "canary-session", "canary-response", "canary-header", "canary-operator-header", "canary-cookie",
  ]
  private(set) var found: [String] = []
  private(set) var printed = 0

  func plant(_ secret: String?) {
    if let secret { all.append(secret) }
  }

  /// Checks all string representations of a value.
  func print(_ value: sending Any) {
    var dumped = ""
    dump(value, to: &dumped)
    let texts = [dumped, String(describing: value), String(reflecting: value), "\(value)"]
    printed += 1
    found += all.filter { secret in texts.contains { $0.contains(secret) } }
  }
}
