package dev.numberverify

import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import org.junit.AfterClass
import org.junit.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertNull
import kotlin.test.assertTrue

/** Options of one verification: the custom backend receives them, and no output exposes them. */
class VerificationOptionsTest {
    private val backend = RecordingBackend(simulator.authUrl())
    private val network = Loopback()

    private fun <T> verifier(test: suspend NumberVerifier.() -> T): T =
        NumberVerifier(network, backend, "https://unused.test") { simulator.trust(this) }.use { runBlocking { it.test() } }

    private fun VerificationOptions.addAll() {
        header("Authorization", "Bearer canary-1")
        startField("attestation", "canary-2 \"quoted\" ü")
        startFieldJson("device", """{"level": [1, true]}""")
        correlator("sign-in:42")
    }

    private fun assertReceived() {
        assertEquals(mapOf("authorization" to "Bearer canary-1"), backend.headersOfStart)
        assertEquals(mapOf("authorization" to "Bearer canary-1"), backend.headersOfComplete)
        val fields = mapOf("attestation" to "\"canary-2 \\\"quoted\\\" ü\"", "device" to """{"level":[1,true]}""")
        assertEquals(fields, backend.startFields)
    }

    @Test
    fun optionsReachTheBackendOfTheirVerificationOnly() {
        verifier {
            val verification = verify(Simulator.NUMBER) { addAll() }
            assertTrue(verification.verified)
            assertReceived()
            assertEquals("sign-in:42", verification.trace.correlator)
            for (output in listOf(verification, verification.trace, verification.trace.toJson())) assertFalse("canary" in "$output")
            assertTrue(verify(Simulator.NUMBER).trace.correlator != "sign-in:42")
            assertEquals(emptyMap(), backend.headersOfStart)
            assertEquals(emptyMap(), backend.startFields)
        }
    }

    @Test
    fun optionsReachTheBackendOfTheirRetrievalOnly() {
        verifier {
            val number = retrieve { addAll() }
            assertEquals(Simulator.NUMBER, number.phoneNumber())
            assertReceived()
            assertEquals("sign-in:42", number.trace.correlator)
            for (output in listOf(number, number.trace, number.trace.toJson())) assertFalse("canary" in "$output")
            assertTrue(retrieve().trace.correlator != "sign-in:42")
            assertEquals(emptyMap(), backend.headersOfStart)
            assertEquals(emptyMap(), backend.startFields)
        }
    }

    @Test
    fun optionsOfARetrievalAreReadForEachCollector() {
        verifier {
            var called = 0
            val retrieving = retrieving { correlator("attempt:${++called}") }
            for (attempt in 1..2) {
                val retrieved = assertIs<Progress.Retrieved>(retrieving.toList().last())
                assertEquals("attempt:$attempt", retrieved.number.trace.correlator)
            }
        }
    }

    @Test
    fun optionsAreReadForEachCollector() {
        verifier {
            var called = 0
            val verifying = verifying(Simulator.NUMBER) { correlator("attempt:${++called}") }
            for (attempt in 1..2) {
                val done = assertIs<Progress.Done>(verifying.toList().last())
                assertEquals("attempt:$attempt", done.verification.trace.correlator)
            }
        }
    }

    @Test
    fun invalidOptionIsRejectedAndNothingIsSent() {
        verifier {
            for ((setting, invalid) in listOf<Pair<String, VerificationOptions.() -> Unit>>(
                "headers" to { header("Cookie", "canary") },
                "headers" to { header("X-App", "canary").header("x-app", "canary") },
                "headers" to { header("X-App", "canary\uD800") },
                "startFields" to { startField("phoneNumber", "canary") },
                "startFields" to { startFieldJson("attestation", "canary") },
                "startFields" to { startField("attestation", "canary\uDC00") },
                "correlator" to { correlator("two words") },
                "correlator" to { correlator("user-14155550100") },
                "correlator" to { correlator("\uD800") },
            )) {
                val error = assertFailsWith<VerifyException.InvalidConfig>(setting) { verify(Simulator.NUMBER, invalid) }
                assertEquals(setting, error.setting)
                for (secret in listOf("canary", "4155550100")) assertFalse(secret in "$error ${error.trace?.toJson()}", setting)
            }
            assertEquals("headers", assertFailsWith<VerifyException.InvalidConfig> { retrieve { header("Cookie", "canary") } }.setting)
        }
        assertNull(backend.headersOfStart)
        assertEquals(0, network.acquired.get())
    }

    @Test
    fun optionsPrintNoValue() {
        assertEquals("VerificationOptions", VerificationOptions().apply { addAll() }.toString())
    }

    private class RecordingBackend(
        private val authUrl: String,
    ) : Backend {
        var headersOfStart: Map<String, String>? = null
        var headersOfComplete: Map<String, String>? = null
        var startFields: Map<String, String>? = null
        private var isRetrieval = false

        override suspend fun start(request: StartRequest): AuthorizationStart {
            headersOfStart = request.headers()
            startFields = request.startFields()
            isRetrieval = request.phoneNumber() == null
            return AuthorizationStart(authUrl)
        }

        override suspend fun complete(request: CompletionRequest): String {
            headersOfComplete = request.headers()
            return if (isRetrieval) """{"phoneNumber":"${Simulator.NUMBER}"}""" else """{"verified":true}"""
        }
    }

    private companion object {
        val simulator = Simulator()

        @AfterClass
        @JvmStatic
        fun stop() = simulator.close()
    }
}
