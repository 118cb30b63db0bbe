/// The kind of build, determined at compile time.
enum Environment {
  /// Whether this is a debug build or Apple's simulator.
  static let isDevelopment = isDebugBuild || isSimulator

  #if targetEnvironment(simulator)
    static let isSimulator = true
  #else
    static let isSimulator = false
  #endif

  #if DEBUG
    private static let isDebugBuild = true
  #else
    private static let isDebugBuild = false
  #endif
}
