package dev.numberverify.testing

import dev.numberverify.hintsFromJson
import kotlin.test.assertFailsWith

/** That the test did without them: this process cannot load the Rust library, and has no class of Android. */
fun assertNothingNative() {
    assertFailsWith<LinkageError> { hintsFromJson("[]") }
    assertFailsWith<ClassNotFoundException> { Class.forName("android.content.Context") }
}
