import Foundation
import Network

#if canImport(CoreTelephony)
  import CoreTelephony
#endif

/// The networks of this phone, as the platform reports them.
enum AppleNetworks {
  /// Without ``PhoneNetworks/status``.
  static func current() async -> PhoneNetworks {
    let usual = await path(NWPathMonitor())
    let cellular = await path(NWPathMonitor(requiredInterfaceType: .cellular))
    let name =
      if usual?.usesInterfaceType(.wifi) == true {
        "wifi"
      } else if usual?.usesInterfaceType(.cellular) == true {
        "cellular"
      } else {
        usual?.status == .satisfied ? "other" : "none"
      }
    return PhoneNetworks(
      default: name,
      // The tunnel interface of a VPN has no type.
      hasVPN: usual?.usesInterfaceType(.other) == true,
      status: "unknown",
      path: cellular.map { "\($0.status)" },
      interfaceName: cellular?.availableInterfaces.first { $0.type == .cellular }?.name,
      hasIPv4: cellular?.supportsIPv4, hasIPv6: cellular?.supportsIPv6,
      dataSIM: dataSIM)
  }

  /// The first update: before it, a monitor has no path.
  private static func path(_ monitor: NWPathMonitor) async -> NWPath? {
    let (paths, continuation) = AsyncStream.makeStream(of: NWPath.self)
    monitor.pathUpdateHandler = { continuation.yield($0) }
    monitor.start(queue: .global())
    defer { monitor.cancel() }
    return await paths.first { _ in true }
  }

  private static var dataSIM: String? {
    #if canImport(CoreTelephony)
      CTTelephonyNetworkInfo().dataServiceIdentifier
    #else
      nil
    #endif
  }
}
