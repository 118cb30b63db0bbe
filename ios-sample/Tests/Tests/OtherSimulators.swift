import Foundation

extension Simulator {
  /// The JSON line of a second simulator, whose operators do not know this phone's SIM.
  static let strangeLine = environmentLine("NUMBER_VERIFY_STRANGE_SIMULATOR")

  /// That of a third one, whose operators respond after 5 seconds.
  static let slowLine = environmentLine("NUMBER_VERIFY_SLOW_SIMULATOR")
}
