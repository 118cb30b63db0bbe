package dev.numberverify

import dev.numberverify.testsupport.Simulator
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertTrue

/** Contained in every secret that the tests of errors use. */
const val CANARY = "canary"

/** Returns the error of a verification and asserts that it is readable. */
inline fun <reified E : VerifyException> failing(verify: () -> Unit): E = assertFailsWith<E> { verify() }.also(::assertReadable)

/** Asserts that the message is a sentence with advice, and that no output contains a secret. */
fun assertReadable(error: VerifyException) {
    val message = checkNotNull(error.message)
    assertTrue(Regex("[A-Z][^:]+(: .+)+\\.").matches(message), message)
    assertFalse("null" in message || "=" in message, message)
    for (output in listOf("$error", "${error.trace}", error.trace?.toJson().orEmpty(), error.trace?.explain().orEmpty())) {
        for (secret in listOf(CANARY, Simulator.NUMBER.drop(1))) assertFalse(secret in output, "$secret in $output")
    }
}
