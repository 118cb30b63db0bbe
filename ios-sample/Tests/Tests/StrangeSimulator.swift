import Foundation

extension Simulator {
  /// The line of a second simulator, whose operators do not know the SIM of this phone.
  static let strangeLine = printed("NUMBER_VERIFY_STRANGE_SIMULATOR")
}
