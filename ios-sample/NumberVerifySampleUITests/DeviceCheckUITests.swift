import XCTest

/// Runs the device check on a phone, without a person: `scripts/device-check ios`. The app writes
/// the report; the script reads it.
final class DeviceCheckUITests: XCTestCase {
  @MainActor
  func testDeviceCheckPassesWithoutAPerson() throws {
    let simulator = ProcessInfo.processInfo.environment["NUMBER_VERIFY_SIMULATOR"]
    let line = try XCTUnwrap(simulator, "TEST_RUNNER_NUMBER_VERIFY_SIMULATOR is not set: run scripts/device-check ios")
    continueAfterFailure = false
    let app = XCUIApplication()
    app.launchEnvironment["NUMBER_VERIFY_SIMULATOR"] = line
    app.launch()
    let end = app.staticTexts["check-finished"]
    XCTAssertTrue(end.waitForExistence(timeout: 300), "the check did not finish within 5 minutes")
    // All but the 5 steps that need a person.
    XCTAssertEqual(end.label, "9 of 14 passed")
  }
}
