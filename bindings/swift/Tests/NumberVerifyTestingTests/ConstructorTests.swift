import NumberVerify
import Testing

/// Unit tests of apps can construct every value that the library returns.
struct ConstructorTests {
  @Test func verificationCanBeConstructed() {
    #expect(Verification(verified: true).responseJSON() == "{}")
    let verification = Verification(verified: false, responseJSON: #"{"token":"canary"}"#, trace: Trace(correlator: "sign-in:42"))
    #expect(!verification.verified)
    #expect(verification.responseJSON() == #"{"token":"canary"}"#)
    #expect(verification.trace.correlator == "sign-in:42")
    var output = "\(verification) \(String(reflecting: verification))"
    dump(verification, to: &output)
    #expect(!output.contains("canary"))
  }

  @Test func retrievedNumberCanBeConstructed() {
    #expect(RetrievedNumber(phoneNumber: "+14155550100").responseJSON() == "{}")
    let number = RetrievedNumber(
      phoneNumber: "+14155550100", responseJSON: #"{"token":"canary"}"#, trace: Trace(correlator: "sign-in:42"))
    #expect(number.phoneNumber == "+14155550100")
    #expect(number.responseJSON() == #"{"token":"canary"}"#)
    #expect(number.trace.correlator == "sign-in:42")
    #expect(number == number && number != RetrievedNumber(phoneNumber: "+14155550100"))
    #expect(number.description == "RetrievedNumber")
    var output = "\(number) \(String(reflecting: number)) \([number]) \(NumberVerifier.Progress.retrieved(number))"
    dump(number, to: &output)
    #expect(!output.contains("canary") && !output.contains("4155550100"))
  }

  @Test func traceCanBeConstructed() {
    #expect(Trace().hops.isEmpty && Trace().openedAhead.isEmpty && Trace().network == nil && Trace().totalMs == 0)
    let trace = Trace(
      correlator: "sign-in:42", network: .appleInterface, hops: [Hop(host: "a.test")], openedAhead: ["b.test"], startMs: 1, acquireMs: 2,
      authorizeMs: 3, completeMs: 4, totalMs: 5)
    #expect(trace.network == .appleInterface)
    #expect(trace.hops == [Hop(host: "a.test")])
    #expect(trace.openedAhead == ["b.test"])
    #expect([trace.startMs, trace.acquireMs, trace.authorizeMs, trace.completeMs, trace.totalMs] == [1, 2, 3, 4, 5])
    #expect(trace.json().contains("sign-in:42"))
    #expect(trace.table().contains("a.test"))
    #expect(trace.explanation().contains("a.test"))
  }

  @Test func hopCanBeConstructed() {
    #expect(Hop(host: "a.test").description == "Hop(1, https://a.test, status none)")
    let hop = Hop(
      host: "a.test", status: 302, index: 2, scheme: "http", dnsMs: 1, connectMs: 2, tlsMs: 3, firstByteMs: 4, isReused: true,
      isOpenedAhead: true, isTLSResumed: true, family: .ipv6, tlsVersion: .tls13, traceIDs: ["cf-ray": "1"], bytesIn: 5, bytesOut: 6,
      pageTitle: "title")
    #expect(!Hop(host: "a.test").isOpenedAhead)
    #expect(hop.description == "Hop(2, http://a.test, status 302)")
    #expect([hop.dnsMs, hop.connectMs, hop.tlsMs, hop.firstByteMs, hop.bytesIn, hop.bytesOut] == [1, 2, 3, 4, 5, 6])
    #expect(hop.isReused && hop.isOpenedAhead && hop.isTLSResumed && hop.family == .ipv6 && hop.tlsVersion == .tls13)
    #expect(hop.traceIDs == ["cf-ray": "1"] && hop.pageTitle == "title")
    #expect(hop != Hop(host: "a.test"))
  }

  @Test(arguments: everyKind)
  func errorOfEveryKindCanBeConstructed(kind: VerifyError.Kind) {
    let trace = Trace(correlator: "sign-in:42")
    let error = VerifyError(kind, fallback: .retryLater, trace: trace)
    #expect(error.kind == kind && error.fallback == .retryLater && error.trace == trace)
    #expect(!"\(error) \(String(reflecting: error))".contains("canary"))
  }

  @Test func errorTextsDefaultToTheNamesOfKindAndFallback() {
    #expect(VerifyError(.cancelled, fallback: .retryLater).description == "cancelled: retryLater.")
    let error = VerifyError(.cancelled, fallback: .retryLater, message: "It was cancelled", advice: "try again")
    #expect(error.errorDescription == "It was cancelled.")
    #expect(error.recoverySuggestion == "Try again.")
  }
}
