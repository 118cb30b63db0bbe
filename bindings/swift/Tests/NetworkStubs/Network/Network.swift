// The symbols of Apple's Network.framework that the package uses, with names and types from Apple's
// documentation. The classes are not Sendable here, so that the package does not rely on it. Tests
// control them through Stub.swift.

public import Dispatch

/// https://developer.apple.com/documentation/network/nwinterface
public struct NWInterface: Sendable {
  /// https://developer.apple.com/documentation/network/nwinterface/interfacetype
  public enum InterfaceType: Sendable {
    case other, wifi, cellular, wiredEthernet, loopback
  }

  /// https://developer.apple.com/documentation/network/nwinterface/type-swift.property
  public let type: InterfaceType
  /// https://developer.apple.com/documentation/network/nwinterface/index
  public let index: Int
  /// https://developer.apple.com/documentation/network/nwinterface/name
  public var name: String { type == .cellular ? "pdp_ip0" : "en0" }
}

/// https://developer.apple.com/documentation/network/nwpath
public struct NWPath: Sendable {
  /// https://developer.apple.com/documentation/network/nwpath/status-swift.enum
  public enum Status: Sendable {
    case satisfied, unsatisfied, requiresConnection
  }

  /// https://developer.apple.com/documentation/network/nwpath/unsatisfiedreason-swift.enum
  public enum UnsatisfiedReason: Sendable {
    case notAvailable, cellularDenied, wifiDenied, localNetworkDenied
    @available(iOS 17, macOS 14, *) case vpnInactive
  }

  /// https://developer.apple.com/documentation/network/nwpath/status-swift.property
  public let status: Status
  /// https://developer.apple.com/documentation/network/nwpath/unsatisfiedreason-swift.property
  public let unsatisfiedReason: UnsatisfiedReason
  /// https://developer.apple.com/documentation/network/nwpath/availableinterfaces
  public let availableInterfaces: [NWInterface]
  /// https://developer.apple.com/documentation/network/nwpath/supportsipv4
  public var supportsIPv4: Bool { status == .satisfied }
  /// https://developer.apple.com/documentation/network/nwpath/supportsipv6
  public var supportsIPv6: Bool { status == .satisfied }

  /// https://developer.apple.com/documentation/network/nwpath/usesinterfacetype(_:)
  public func usesInterfaceType(_ type: NWInterface.InterfaceType) -> Bool {
    status == .satisfied && availableInterfaces.contains { $0.type == type }
  }
}

/// https://developer.apple.com/documentation/network/nwpathmonitor
public final class NWPathMonitor {
  let stub: Stub.Monitor

  /// https://developer.apple.com/documentation/network/nwpathmonitor/init()
  public init() {
    stub = Stub.monitor(nil)
  }

  /// https://developer.apple.com/documentation/network/nwpathmonitor/init(requiredinterfacetype:)
  public init(requiredInterfaceType: NWInterface.InterfaceType) {
    stub = Stub.monitor(requiredInterfaceType)
  }

  /// https://developer.apple.com/documentation/network/nwpathmonitor/pathupdatehandler
  public var pathUpdateHandler: (@Sendable (_ newPath: NWPath) -> Void)? {
    didSet { stub.handler = pathUpdateHandler }
  }

  /// https://developer.apple.com/documentation/network/nwpathmonitor/start(queue:)
  public func start(queue: DispatchQueue) { stub.start(queue) }

  /// https://developer.apple.com/documentation/network/nwpathmonitor/cancel()
  public func cancel() { stub.cancel() }
}

/// https://developer.apple.com/documentation/network/nwparameters
public final class NWParameters {
  /// https://developer.apple.com/documentation/network/nwparameters/udp
  public class var udp: NWParameters { NWParameters() }

  /// https://developer.apple.com/documentation/network/nwparameters/requiredinterfacetype
  public var requiredInterfaceType = NWInterface.InterfaceType.other
  /// https://developer.apple.com/documentation/network/nwparameters/prefernoproxies
  public var preferNoProxies = false
}

/// https://developer.apple.com/documentation/network/nwendpoint
public enum NWEndpoint {
  /// https://developer.apple.com/documentation/network/nwendpoint/host
  public struct Host: Sendable {
    let name: String

    /// https://developer.apple.com/documentation/network/nwendpoint/host/init(_:)
    public init(_ string: String) {
      name = string
    }
  }

  /// https://developer.apple.com/documentation/network/nwendpoint/port
  public struct Port: ExpressibleByIntegerLiteral, Sendable {
    let number: UInt16

    /// https://developer.apple.com/documentation/network/nwendpoint/port/init(integerliteral:)
    public init(integerLiteral value: UInt16) {
      number = value
    }
  }
}

/// https://developer.apple.com/documentation/network/nwerror
public enum NWError: Error, Sendable {
  case posix(Int32)
}

/// https://developer.apple.com/documentation/network/nwconnection
public final class NWConnection {
  /// https://developer.apple.com/documentation/network/nwconnection/state-swift.enum
  public enum State: Sendable {
    case setup, preparing, ready, cancelled
    case waiting(NWError)
    case failed(NWError)
  }

  let stub: Stub.Connection

  /// https://developer.apple.com/documentation/network/nwconnection/init(host:port:using:)
  public init(host: NWEndpoint.Host, port: NWEndpoint.Port, using: NWParameters) {
    stub = Stub.connection(host.name, port.number, using.requiredInterfaceType)
  }

  /// https://developer.apple.com/documentation/network/nwconnection/stateupdatehandler
  public var stateUpdateHandler: (@Sendable (_ state: State) -> Void)? {
    didSet { stub.handler = stateUpdateHandler }
  }

  /// https://developer.apple.com/documentation/network/nwconnection/currentpath
  public var currentPath: NWPath? { stub.currentPath }

  /// https://developer.apple.com/documentation/network/nwconnection/restart()
  public func restart() { stub.restart() }

  /// https://developer.apple.com/documentation/network/nwconnection/start(queue:)
  public func start(queue: DispatchQueue) { stub.start(queue) }

  /// https://developer.apple.com/documentation/network/nwconnection/cancel()
  public func cancel() { stub.cancel() }
}
