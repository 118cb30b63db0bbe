package dev.numberverify.testing

import dev.numberverify.hintsFromJson
import kotlin.test.assertFailsWith

/**
 * Asserts that the test used neither native code nor Android: this process cannot load the Rust
 * library and has no Android classes.
 */
fun assertNothingNative() {
    assertFailsWith<LinkageError> { hintsFromJson("[]") }
    assertFailsWith<ClassNotFoundException> { Class.forName("android.content.Context") }
}
