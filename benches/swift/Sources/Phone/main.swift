// The process that stands for a Swift app with this library. For each line `repeat N` it runs N verifications, one after the other, and
// reports in JSON how many microseconds they took in all. The arguments: backend, root certificates, interface, name server, resolved host, number.

import Foundation
import NumberVerify

/// A network that is always there, over the bound interface.
actor Modem: CellularProvider {
  private let interface: String
  private var isAcquired = false
  private var waiting: CheckedContinuation<Void, Never>?

  init(interface: String) {
    self.interface = interface
  }

  func acquire(events: NetworkEvents) -> NetworkBinding {
    isAcquired = true
    events.operatedBy(mccMNC: "00101")  // A test network, reported as Android's provider does.
    return .linuxInterface(name: interface)
  }

  func release() {
    isAcquired = false
    waiting?.resume()
    waiting = nil
  }

  func status() -> CellularStatus { .ready }

  func isReleased() async {
    if isAcquired { await withCheckedContinuation { waiting = $0 } }
  }
}

/// Why a verification is none of those that are measured.
struct NotVerified: Error {}

let arguments = CommandLine.arguments
let modem = Modem(interface: arguments[3])
let rootCertificates = try String(contentsOfFile: arguments[2], encoding: .utf8)
let verifier = try NumberVerifier(cellular: modem, backend: arguments[1]) {
  $0.development.rootCertificates = [rootCertificates]
  $0.development.dnsServers = [arguments[4]]
  $0.development.resolve = [arguments[5]]
}

func verify(times: Int) async throws -> Duration {
  var total = Duration.zero
  for _ in 0..<times {
    let began = ContinuousClock.now
    guard try await verifier.verify(phoneNumber: arguments[6]).verified else { throw NotVerified() }
    total += ContinuousClock.now - began
    await modem.isReleased()
  }
  return total
}

while let line = readLine() {
  let report: String
  do {
    let total = try await verify(times: Int(line.dropFirst("repeat ".count)) ?? 0)
    report = #"{"total_us": \#(Int(total / .microseconds(1)))}"#
  } catch {
    report = #"{"error": "\#("\(error)".filter { $0.isLetter || $0.isNumber })"}"#
  }
  // `print` keeps lines back in a pipe.
  FileHandle.standardOutput.write(Data("\(report)\n".utf8))
}
