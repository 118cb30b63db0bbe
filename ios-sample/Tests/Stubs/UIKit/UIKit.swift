// The UIKit symbols that the sample uses.

@_exported import Foundation

/// UIKit.UIViewController
@MainActor open class UIViewController {
  public init() {}
}

/// UIKit.UIActivity
@MainActor open class UIActivity {}

/// UIKit.UIActivityViewController
@MainActor open class UIActivityViewController: UIViewController {
  public init(activityItems: [Any], applicationActivities: [UIActivity]?) {}
}

/// UIKit.UIApplication
@MainActor open class UIApplication {
  public struct OpenExternalURLOptionsKey: Hashable, Sendable {}

  /// UIKit.UIApplication.State
  public enum State: Sendable { case active, inactive, background }

  public static let shared = UIApplication()
  public var applicationState = State.active
  public var isIdleTimerDisabled = false
  public nonisolated static let openSettingsURLString = "app-settings:"

  public func open(
    _ url: URL, options: [OpenExternalURLOptionsKey: Any] = [:], completionHandler completion: (@MainActor @Sendable (Bool) -> Void)? = nil
  ) {}
}

/// UIKit.UIBackgroundTaskIdentifier
public struct UIBackgroundTaskIdentifier: Equatable, Sendable {
  public static let invalid = UIBackgroundTaskIdentifier(id: 0)
  let id: Int
}

extension UIApplication {
  public func beginBackgroundTask(expirationHandler handler: (@MainActor @Sendable () -> Void)? = nil) -> UIBackgroundTaskIdentifier {
    UIBackgroundTaskIdentifier(id: 1)
  }

  public func endBackgroundTask(_ identifier: UIBackgroundTaskIdentifier) {}
}

/// UIKit.UIAccessibility
public enum UIAccessibility {
  /// UIKit.UIAccessibility.Notification
  public struct Notification: Sendable {
    public static let announcement = Notification()
  }

  public static func post(notification: Notification, argument: Any?) {}
}

/// UIKit.UIKeyboardType
public enum UIKeyboardType: Sendable { case phonePad, URL }

/// UIKit.UITextContentType
public struct UITextContentType: Sendable {
  public static let telephoneNumber = UITextContentType()
  public static let URL = UITextContentType()
}
