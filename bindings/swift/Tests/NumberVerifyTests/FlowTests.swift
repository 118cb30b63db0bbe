import NumberVerify
import Testing

@Test func compiles() {}
