internal import NumberVerifyCore

/// How much is logged.
public enum LogLevel: Sendable, Hashable {
  /// What the app's own code did wrong.
  case warn
  /// The end of each verification too.
  case info
  /// Each step and each answer on the way too.
  case debug
}

extension NumberVerifier {
  /// Logs to the system from now on: the unified log on Apple systems (subsystem `number-verify`), stderr elsewhere. Silent without it.
  /// Call it again for another level. The log holds no code, number, cookie or query.
  public static func logToSystem(_ level: LogLevel) {
    NumberVerifyCore.logToSystem(level: level.core)
  }
}
