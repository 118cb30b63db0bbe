/// A step of the device check, in order. The Android sample has the same list, and
/// docs/device-testing.md a table of it; scripts/test-device-check compares them.
enum CheckStep: String, CaseIterable, Sendable {
  case conditions
  case first
  case addresses
  case otherTraffic = "other_traffic"
  case dns
  case memory
  case prepare
  case families
  case background
  case vpn
  case dataOff = "data_off"
  case airplane
  case otherSIM = "other_sim"
  case last

  /// The name in the report.
  var id: String { rawValue }

  var title: String {
    switch self {
    case .conditions: "Wi-Fi and mobile data"
    case .first: "First verification"
    case .addresses: "Cellular is not Wi-Fi"
    case .otherTraffic: "Other traffic stays on Wi-Fi"
    case .dns: "A public host name"
    case .memory: "Second verification"
    case .prepare: "prepare(), then a third verification"
    case .families: "IPv4, IPv6 and NAT64"
    case .background: "In the background"
    case .vpn: "VPN on"
    case .dataOff: "Mobile data off"
    case .airplane: "Airplane mode"
    case .otherSIM: "Second SIM"
    case .last: "Last verification"
    }
  }

  /// The evidence without which the step is not passed.
  var expectation: String {
    switch self {
    case .conditions: "The default network is Wi-Fi without a VPN, and check() returns WifiActive."
    case .first: "It returns “verified”, and its sockets were bound to the cellular network."
    case .addresses:
      "The operator’s side received the library’s connections from another address than the default network’s, in the same address family."
    case .otherTraffic:
      "The default network’s address is the same before, during and after the verification, and the library’s requests to the backend came from it."
    case .dns:
      "A verification resolved a public host name and connected to it, and its sockets were bound to the cellular network."
    case .memory: "It returns “verified”, and a request used a connection that it had opened ahead."
    case .prepare: "It returns “verified”, and a request used a connection that prepare() had opened."
    case .families: "While it is held, the cellular network reports the address families that requests used; IPv4 may be 464XLAT."
    case .background:
      "A verification that began in the background ended without an internal error, and one after the return is “verified”."
    case .vpn: "A VPN is active, and the verification fails with cause vpn or is “verified” from another address than the VPN’s."
    case .dataOff: "The verification fails with the cause of mobile data that is off."
    case .airplane: "The verification fails with the cause of airplane mode."
    case .otherSIM:
      "Another SIM is set for mobile data than before, and the verification is “verified” from another address than the default network’s."
    case .last: "It returns “verified” from another address than the default network’s, after all changes."
    }
  }

  /// The outcomes of the verification that pass; empty if the evidence is another one. iOS reports
  /// fewer causes than Android.
  var outcomes: [String] {
    switch self {
    case .conditions, .addresses, .otherTraffic, .dns, .families: []
    case .first, .memory, .prepare, .background, .otherSIM, .last: ["verified"]
    case .vpn: ["verified", "cellular_unavailable/vpn"]
    case .dataOff, .airplane: ["cellular_unavailable/data_off", "cellular_unavailable/no_interface"]
    }
  }

  /// What the person does before the step; `nil` if there is nothing to do.
  var instruction: String? {
    switch self {
    case .conditions: "Turn on Wi-Fi and mobile data. Turn off airplane mode and any VPN."
    case .background:
      "Press Continue, then lock the phone within 30 seconds. Unlock it after 20 seconds and return to this app."
    case .vpn: "Connect a VPN that captures all traffic of this app."
    case .dataOff: "Disconnect the VPN. Turn off mobile data. Leave Wi-Fi on."
    case .airplane: "Turn on mobile data. Turn on airplane mode, then Wi-Fi."
    case .otherSIM: "Turn off airplane mode. Set the other SIM for mobile data. Skip this step with one SIM."
    case .last:
      "Restore the usual state: Wi-Fi and mobile data on, airplane mode and VPN off, the usual SIM for mobile data."
    case .first, .addresses, .otherTraffic, .dns, .memory, .prepare, .families: nil
    }
  }

  /// Whether the phone is expected to be in this state without a person.
  var isUsualState: Bool { self == .conditions || self == .last }
}
