import Testing
@testable import NumberVerify
@Test func x() {}
