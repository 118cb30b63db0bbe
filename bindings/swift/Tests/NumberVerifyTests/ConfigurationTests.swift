import NumberVerifyCore
import Testing

@testable import NumberVerify

/// The settings: defaults equal those of the core, and an invalid setting is reported by its Swift
/// name.
struct ConfigurationTests {
  private typealias Configuration = NumberVerify.NumberVerifier.Configuration

  @Test func defaultsEqualTheCoreDefaults() throws {
    let ours = try Configuration { _ in }.core(backendURL: "https://api.test")
    let core = Config(
      backendUrl: "https://api.test", operatorHeadersTo: .firstHost, fieldNames: FieldNames(), codeDelivery: .relay, deadlines: Deadlines(),
      cleartext: .onRedirects, development: Development())
    #expect(String(reflecting: ours) == String(reflecting: core))
  }

  @Test func invalidSettingIsReportedByName() async throws {
    let changes: [(String, (inout Configuration) -> Void)] = [
      ("startPath", { $0.startPath = "https://elsewhere.test/" }),
      ("completePath", { $0.completePath = "https://elsewhere.test/" }),
      ("headers", { $0.addHeader("Host", "x") }),
      ("headers", { $0.addHeader("no token", "x") }),
      ("operatorHeaders", { $0.addOperatorHeader("X-A", "two\r\nlines") }),
      ("hints", { $0.hints = [Hint(host: "https://op.test")] }),
      ("hints", { $0.hints = Array(repeating: Hint(host: "op.test"), count: 17) }),
      ("fieldNames", { $0.fieldNames.code = "" }),
      ("redirectURI", { $0.redirectURI = "not absolute" }),
      ("authOrigin", { $0.authOrigin = "auth.example.com" }),
      ("redirectLimit", { $0.redirectLimit = 0 }),
      ("redirectLimit", { $0.redirectLimit = 272 }),
      ("redirectLimit", { $0.redirectLimit = -1 }),
      ("userAgent", { $0.userAgent = "\u{7}" }),
      ("overallMs", { $0.deadlines.overallMs = 0 }),
      ("acquireMs", { $0.deadlines.acquireMs = -1 }),
      ("connectMs", { $0.deadlines.connectMs = 86_400_001 }),
      ("answerMs", { $0.deadlines.answerMs = 0 }),
      ("backendMs", { $0.deadlines.backendMs = .max }),
      ("slowAfterMs", { $0.slowAfterMs = 0 }),
      ("rootCertificates", { $0.development.rootCertificates = ["not PEM"] }),
      ("resolve", { $0.development.resolve = ["nothing"] }),
      ("dnsServers", { $0.development.dnsServers = ["a.test"] }),
    ]
    let names = Mirror.names(Configuration { _ in })
    for (setting, change) in changes {
      let error =
        await thrown {
          try NumberVerify.NumberVerifier(cellular: Loopback(), backend: "https://api.test", configure: change)
        } as? VerifyError
      #expect(error?.kind == .invalidConfig(setting: setting))
      #expect(error?.fallback == .fixIntegration)
      #expect(error?.trace == nil)
      #expect(names.contains(setting), "\(setting) is not a setting of Configuration")
    }
    let error = await thrown { try NumberVerify.NumberVerifier(cellular: Loopback(), backend: "http://api.test") } as? VerifyError
    #expect(error?.kind == .invalidConfig(setting: "backend"))
  }

  @Test func anyNetworkIsRejectedOutsideDevelopment() throws {
    let configuration = Configuration { $0.development.anyNetwork = true }
    #expect(try configuration.core(backendURL: "https://api.test", isDevelopment: true).development.allowUnbound)
    #expect {
      try configuration.core(backendURL: "https://api.test", isDevelopment: false)
    } throws: { error in
      (error as? VerifyError)?.kind == .invalidConfig(setting: "anyNetwork")
    }
  }

  @Test func simulatorIsASeparateCause() {
    #expect(NumberVerify.CellularCause(.unsupported, isSimulator: true) == .simulator)
    #expect(NumberVerify.CellularCause(.unsupported, isSimulator: false) == .unsupported)
    for cause in NumberVerify.CellularCause.allCases where cause != .simulator {
      #expect(NumberVerify.CellularCause(cause.core) == cause)
    }
    #expect(NumberVerify.CellularCause.simulator.core == .unsupported)
  }
}

extension Mirror {
  /// The names of a value's properties, recursively.
  fileprivate static func names(_ value: Any) -> [String] {
    Mirror(reflecting: value).children.flatMap { [$0.label ?? ""] + names($0.value) }
  }
}
