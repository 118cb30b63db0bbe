// Conversions between the core's enums and those of this module, without any logic. The switches
// are exhaustive: a value added to the core does not compile until it is mapped. This module has
// separate types because an app that imports it sees the members of this module's types only
// (SE-0444).

internal import NumberVerifyCore

extension Fallback {
  init(_ core: NumberVerifyCore.Fallback) {
    self =
      switch core {
      case .useAnotherChannel: .useAnotherChannel
      case .retryLater: .retryLater
      case .askToEnableMobileData: .askToEnableMobileData
      case .fixIntegration: .fixIntegration
      }
  }

  var core: NumberVerifyCore.Fallback {
    switch self {
    case .useAnotherChannel: .useAnotherChannel
    case .retryLater: .retryLater
    case .askToEnableMobileData: .askToEnableMobileData
    case .fixIntegration: .fixIntegration
    }
  }
}

extension Step {
  init(_ core: NumberVerifyCore.Step) {
    self =
      switch core {
      case .start: .start
      case .acquire: .acquire
      case .authorize: .authorize
      case .complete: .complete
      }
  }
}

extension CellularCause {
  /// The core does not distinguish Apple's simulator: it reports `unsupported` if it cannot bind a
  /// socket.
  init(_ core: NumberVerifyCore.CellularCause, isSimulator: Bool = Environment.isSimulator) {
    self =
      switch core {
      case .noInterface: .noInterface
      case .interfaceDown: .interfaceDown
      case .vpn: .vpn
      case .blockedInBackground: .blockedInBackground
      case .dataOff: .dataOff
      case .airplane: .airplane
      case .noSim: .noSIM
      case .notDataSim: .notDataSIM
      case .permission: .permission
      case .tooManyRequests: .tooManyRequests
      case .systemFault: .systemFault
      case .timeout: .timeout
      case .unsupported: isSimulator ? .simulator : .unsupported
      }
  }

  var core: NumberVerifyCore.CellularCause {
    switch self {
    case .noInterface: .noInterface
    case .interfaceDown: .interfaceDown
    case .vpn: .vpn
    case .blockedInBackground: .blockedInBackground
    case .dataOff: .dataOff
    case .airplane: .airplane
    case .noSIM: .noSim
    case .notDataSIM: .notDataSim
    case .permission: .permission
    case .tooManyRequests: .tooManyRequests
    case .systemFault: .systemFault
    case .timeout: .timeout
    case .unsupported, .simulator: .unsupported
    }
  }
}

extension BackendCause {
  init(_ core: NumberVerifyCore.BackendCause) {
    self =
      switch core {
      case .unreachable: .unreachable
      case .tls: .tls
      case .timeout: .timeout
      case .status: .status
      case .malformedAnswer: .malformedAnswer
      case .appFailed: .appFailed
      }
  }
}

extension AuthorizationCause {
  init(_ core: NumberVerifyCore.AuthorizationCause) {
    self =
      switch core {
      case .dns: .dns
      case .connect: .connect
      case .tls: .tls
      case .timeout: .timeout
      case .closed: .closed
      case .httpStatus: .httpStatus
      case .tooManyRedirects: .tooManyRedirects
      case .redirectLoop: .redirectLoop
      case .forbiddenRedirect: .forbiddenRedirect
      case .badLocation: .badLocation
      case .unexpectedPage: .unexpectedPage
      case .malformedResponse: .malformedResponse
      case .tooLarge: .tooLarge
      }
  }
}

extension AddressFamily {
  init(_ core: NumberVerifyCore.AddressFamily) {
    self =
      switch core {
      case .ipv4: .ipv4
      case .ipv6: .ipv6
      }
  }

  var core: NumberVerifyCore.AddressFamily {
    switch self {
    case .ipv4: .ipv4
    case .ipv6: .ipv6
    }
  }
}

extension TLSVersion {
  init(_ core: NumberVerifyCore.TlsVersion) {
    self =
      switch core {
      case .tls12: .tls12
      case .tls13: .tls13
      }
  }

  var core: NumberVerifyCore.TlsVersion {
    switch self {
    case .tls12: .tls12
    case .tls13: .tls13
    }
  }
}

extension NetworkKind {
  init(_ core: NumberVerifyCore.NetworkKind) {
    self =
      switch core {
      case .androidNetwork: .androidNetwork
      case .appleInterface: .appleInterface
      case .linuxInterface: .linuxInterface
      case .unbound: .unbound
      }
  }

  var core: NumberVerifyCore.NetworkKind {
    switch self {
    case .androidNetwork: .androidNetwork
    case .appleInterface: .appleInterface
    case .linuxInterface: .linuxInterface
    case .unbound: .unbound
    }
  }
}

extension NetworkBinding {
  var core: NumberVerifyCore.NetworkBinding {
    switch self {
    case .appleInterface(let index): .appleInterface(index: index)
    case .linuxInterface(let name): .linuxInterface(name: name)
    case .unbound: .unbound
    }
  }
}

extension CellularStatus {
  init(_ core: NumberVerifyCore.CellularStatus) {
    self =
      switch core {
      case .ready: .ready
      case .wifiActive: .wifiActive
      case .unavailable(let reason): .unavailable(CellularCause(reason))
      }
  }

  var core: NumberVerifyCore.CellularStatus {
    switch self {
    case .ready: .ready
    case .wifiActive: .wifiActive
    case .unavailable(let reason): .unavailable(reason: reason.core)
    }
  }
}

extension BackendError {
  var core: NumberVerifyCore.BackendError {
    switch self {
    case .unreachable: .Unreachable
    case .tls: .Tls
    case .timeout: .Timeout
    case .status(let status, let fallback, let retryAfterSeconds):
      .Status(status: UInt16(clamping: status), advice: fallback?.core, retryAfterS: retryAfterSeconds.map(UInt32.init(clamping:)))
    case .malformedAnswer(let status): .MalformedAnswer(status: status.map(UInt16.init(clamping:)))
    }
  }
}

extension OperatorHeaders {
  var core: NumberVerifyCore.OperatorHeaders {
    switch self {
    case .firstHost: .firstHost
    case .allHosts: .allHosts
    }
  }
}

extension CodeDelivery {
  var core: NumberVerifyCore.CodeDelivery {
    switch self {
    case .relay: .relay
    case .followThrough: .followThrough
    case .noCode: .noCode
    }
  }
}

extension Cleartext {
  var core: NumberVerifyCore.Cleartext {
    switch self {
    case .onRedirects: .onRedirects
    case .never: .never
    }
  }
}

extension LogLevel {
  var core: NumberVerifyCore.LogLevel {
    switch self {
    case .warn: .warn
    case .info: .info
    case .debug: .debug
    }
  }
}

extension NumberVerifier.Progress {
  init(_ core: NumberVerifyCore.Progress) {
    self =
      switch core {
      case .stepBegan(let step, let atMs): .stepBegan(Step(step), atMs: Int(atMs))
      case .stepEnded(let step, let atMs): .stepEnded(Step(step), atMs: Int(atMs))
      case .slow(let atMs): .slow(atMs: Int(atMs))
      case .hopAnswered(let hop, let atMs): .hopAnswered(Hop(hop), atMs: Int(atMs))
      }
  }
}
