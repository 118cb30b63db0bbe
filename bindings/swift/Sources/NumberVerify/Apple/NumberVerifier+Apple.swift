#if canImport(Network)
  import Foundation

  extension NumberVerifier {
    /// A verifier for an app on an Apple system.
    ///
    /// - Parameters:
    ///   - backend: the base URL of the app's backend, such as `https://api.example.com/number-verify`: https (http only to loopback), without
    ///     user name, query and fragment.
    ///   - configure: changes further settings; all of them have defaults.
    /// - Throws: ``VerifyError`` of kind ``VerifyError/Kind-swift.enum/invalidConfig(setting:)`` where a setting cannot work.
    public convenience init(backend: String, configure: (inout Configuration) -> Void = { _ in }) throws {
      let configuration = Configuration(configure)
      try self.init(
        cellular: configuration.appleProvider(backendURL: backend), backend: nil, backendURL: backend, configuration: configuration)
    }

    /// A verifier for an app on an Apple system that calls its backend with its own API client.
    ///
    /// - Parameters:
    ///   - backend: makes the two calls.
    ///   - backendURL: the backend's base URL; only its origin counts, where the code is delivered by ``CodeDelivery/followThrough``.
    ///   - configure: changes further settings; all of them have defaults.
    /// - Throws: ``VerifyError`` of kind ``VerifyError/Kind-swift.enum/invalidConfig(setting:)`` where a setting cannot work.
    public convenience init(
      backend: any Backend, backendURL: String, configure: (inout Configuration) -> Void = { _ in }
    ) throws {
      let configuration = Configuration(configure)
      try self.init(
        cellular: configuration.appleProvider(backendURL: backendURL), backend: backend, backendURL: backendURL,
        configuration: configuration)
    }
  }

  extension NumberVerifier.Configuration {
    fileprivate func appleProvider(backendURL: String) -> any CellularProvider {
      if development.anyNetwork { return AnyNetwork() }
      // A URL without a host is refused where the verifier is made.
      return AppleCellularProvider(host: URLComponents(string: backendURL)?.host ?? "")
    }
  }
#endif
