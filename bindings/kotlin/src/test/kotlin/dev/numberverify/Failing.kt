package dev.numberverify

import dev.numberverify.testsupport.Simulator
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertTrue

/** Part of every secret that the tests of errors use. */
const val CANARY = "canary"

/** The error of a flow, which must be one that a developer can read. */
inline fun <reified E : VerifyException> failing(verify: () -> Unit): E = assertFailsWith<E> { verify() }.also(::assertReadable)

/** A sentence with advice, and nothing secret in any printed form. */
fun assertReadable(error: VerifyException) {
    val message = checkNotNull(error.message)
    assertTrue(Regex("[A-Z][^:]+(: .+)+\\.").matches(message), message)
    assertFalse("null" in message || "=" in message, message)
    for (printed in listOf("$error", "${error.trace}", error.trace?.toJson().orEmpty())) {
        for (secret in listOf(CANARY, Simulator.NUMBER.drop(1))) assertFalse(secret in printed, "$secret in $printed")
    }
}
