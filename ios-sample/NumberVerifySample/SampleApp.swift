import SwiftUI

/// The app: one screen.
@main
struct SampleApp: App {
  var body: some Scene {
    WindowGroup {
      VerifyView()
    }
  }
}
