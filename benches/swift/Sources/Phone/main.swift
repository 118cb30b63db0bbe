// Simulates a Swift app with this library. For each input line `repeat N` it runs N verifications
// in sequence and prints their total duration in microseconds as JSON. Arguments: backend, root
// certificates, interface, DNS server, resolved host, phone number.

import Foundation
import NumberVerify

/// An always-available network over the bound interface.
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

  func waitUntilReleased() async {
    if isAcquired { await withCheckedContinuation { waiting = $0 } }
  }
}

/// The number was not verified, so the measurement is invalid.
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
    let start = ContinuousClock.now
    guard try await verifier.verify(phoneNumber: arguments[6]).verified else { throw NotVerified() }
    total += ContinuousClock.now - start
    await modem.waitUntilReleased()
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
  // `print` buffers its output if stdout is a pipe.
  FileHandle.standardOutput.write(Data("\(report)\n".utf8))
}
