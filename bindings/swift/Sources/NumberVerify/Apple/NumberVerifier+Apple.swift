#if canImport(Network)
  import Foundation

  extension NumberVerifier {
    /// Creates a verifier for an app on an Apple platform, with an ``AppleCellularProvider``.
    ///
    /// - Parameters:
    ///   - backend: the base URL of the app's backend, such as
    ///     `https://api.example.com/number-verify`: https (http only for loopback), without
    ///     userinfo, query or fragment.
    ///   - configure: changes settings; all have defaults.
    /// - Throws: ``VerifyError`` of kind ``VerifyError/Kind-swift.enum/invalidConfig(setting:)`` if
    ///   a setting is invalid.
    public convenience init(backend: String, configure: (inout Configuration) -> Void = { _ in }) throws {
      let configuration = Configuration(configure)
      try self.init(
        cellular: configuration.appleProvider(backendURL: backend), backend: nil, backendURL: backend, configuration: configuration)
    }

    /// Creates a verifier for an app on an Apple platform that calls its backend with a custom API
    /// client.
    ///
    /// - Parameters:
    ///   - backend: makes the two calls.
    ///   - backendURL: the backend's base URL; only its origin is used, for
    ///     ``CodeDelivery/followThrough`` and as the host of the ``AppleCellularProvider``.
    ///   - configure: changes settings; all have defaults.
    /// - Throws: ``VerifyError`` of kind ``VerifyError/Kind-swift.enum/invalidConfig(setting:)`` if
    ///   a setting is invalid.
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
      // A URL without a host is rejected when the verifier is created.
      return AppleCellularProvider(host: URLComponents(string: backendURL)?.host ?? "")
    }
  }
#endif
