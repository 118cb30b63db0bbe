internal import NumberVerifyCore

/// The level of logging.
public enum LogLevel: Sendable, Hashable {
  /// Errors in the app's code.
  case warn
  /// Also the end of each verification.
  case info
  /// Also each step and each response.
  case debug
}

extension NumberVerifier {
  /// Enables logging to the unified log on Apple platforms (subsystem `number-verify`), elsewhere
  /// to stderr. Off by default. Call it again to change the level. The log never contains a code,
  /// phone number, cookie or query.
  public static func logToSystem(_ level: LogLevel) {
    NumberVerifyCore.logToSystem(level: level.core)
  }
}
