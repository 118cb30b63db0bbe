import SwiftUI

/// The app: one screen, and in debug builds the device check.
@main
struct SampleApp: App {
  var body: some Scene {
    WindowGroup {
      VerifyView()
    }
  }
}
