// The XCUIAutomation symbols that the UI test uses; on Linux, XCTest has none of them.

/// XCUIAutomation.XCUIApplication
@MainActor open class XCUIApplication: XCUIElement {
  public override init() {}
  public var launchEnvironment: [String: String] = [:]
  public func launch() {}
  public var staticTexts: XCUIElementQuery { XCUIElementQuery() }
}

/// XCUIAutomation.XCUIElement
@MainActor open class XCUIElement {
  public var label: String { "" }
  public func waitForExistence(timeout: Double) -> Bool { false }
}

/// XCUIAutomation.XCUIElementQuery
@MainActor public final class XCUIElementQuery {
  public subscript(key: String) -> XCUIElement { XCUIApplication() }
}
