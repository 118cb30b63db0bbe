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
    let interface = cellular?.availableInterfaces.first { $0.type == .cellular }?.name
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
      interfaceName: interface,
      hasIPv4: cellular?.supportsIPv4, hasIPv6: cellular?.supportsIPv6,
      has464XLAT: interface.map(has464XLAT),
      dataSIM: dataSIM)
  }

  /// Whether the interface has an IPv4 address for 464XLAT: one in 192.0.0.0/24.
  private static func has464XLAT(_ interface: String) -> Bool {
    var first: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&first) == 0 else { return false }
    defer { freeifaddrs(first) }
    return sequence(first: first, next: { $0?.pointee.ifa_next }).contains { entry in
      guard let entry = entry?.pointee, let address = entry.ifa_addr else { return false }
      guard address.pointee.sa_family == sa_family_t(AF_INET), String(cString: entry.ifa_name) == interface else { return false }
      let ipv4 = UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self).sin_addr.s_addr
      return UInt32(bigEndian: ipv4) >> 8 == 0xc00000
    }
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
