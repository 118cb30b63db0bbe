package dev.numberverify

import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import org.junit.Test
import java.io.ByteArrayOutputStream
import java.io.ObjectOutputStream
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertTrue

/** Canaries in every place that can contain a secret: none of them appears in any output. */
class SecretsTest {
    private fun assertNoSecret(vararg values: Any?) {
        for (text in values.map { "$it" }) {
            for (secret in CANARIES) assertFalse(secret in text, "$secret in $text")
        }
    }

    /**
     * The start response and the operator set cookies; code, state, session and number are
     * canaries.
     */
    private fun verifier(
        redirect: String,
        result: String = """{"verified":true,"token":"canary-token"}""",
    ): Pair<NumberVerifier, AutoCloseable> =
        verifierWith(result) {
            "HTTP/1.1 302 Found\r\nLocation: $redirect\r\nSet-Cookie: c=canary-cookie; Secure\r\nContent-Length: 0\r\n\r\n"
        }

    private fun verifierWith(
        result: String,
        operator: () -> String,
    ): Pair<NumberVerifier, AutoCloseable> {
        val operator = ScriptedServer(authority.issue("op.test")) { operator() }
        val authUrl = "https://op.test:${operator.port}/authorize?state=canary-state&nonce=canary-nonce&redirect_uri=myapp%3A%2F%2Fdone"
        val backend =
            ScriptedServer { path ->
                val body = if (path.endsWith("start")) """{"authUrl":"$authUrl","session":"canary-session"}""" else result
                "HTTP/1.1 200 OK\r\nSet-Cookie: b=canary-cookie\r\nContent-Length: ${body.length}\r\n\r\n$body"
            }
        val verifier =
            NumberVerifier(Loopback(), "http://127.0.0.1:${backend.port}") {
                header("Authorization", "canary-header")
                operatorHeader("X-Key", "canary-header")
                useGenerousDeadlines()
                development.anyNetwork = true
                development.rootCertificates += authority.root.pem
                development.resolve += "op.test:${operator.port}:127.0.0.1"
                assertNoSecret(this, deadlines, fieldNames, development)
            }
        return verifier to AutoCloseable { operator.close().also { backend.close() } }
    }

    @Test
    fun verificationExposesNoSecret() {
        val (verifier, servers) = verifier("myapp://done?code=canary-code&state=canary-state")
        servers.use {
            verifier.use {
                val progress = runBlocking { verifier.verifying(NUMBER).toList() }
                val done = progress.last() as Progress.Done
                assertTrue("canary-token" in done.verification.responseJson(), "responseJson() contains it")
                assertNoSecret(verifier, progress, done.verification, done.verification.trace, done.verification.trace.toJson())
                assertNoSecret(done.verification.trace.hops)
            }
        }
    }

    @Test
    fun errorExposesNoSecret() {
        for (redirect in listOf(
            "myapp://done?error=access_denied&error_description=canary-description&state=canary-state",
            "myapp://done?error=canary-code&state=canary-state&code=canary-code",
            "myapp://done?code=canary-code&state=canary-other",
            "https://op.test/canary-path?code=canary-code&state=canary-state",
            "javascript:canary-code",
        )) {
            val (verifier, servers) = verifier(redirect)
            servers.use {
                val error = assertFailsWith<VerifyException> { verifier.use { runBlocking { it.verify(NUMBER) } } }
                assertNoSecret(error, error.message, error.localizedMessage, error.stackTraceToString(), error.trace, error.trace?.toJson())
                assertNoSecret(serialized(error))
            }
        }
    }

    @Test
    fun retrievalExposesNoSecret() {
        val (verifier, servers) = verifier("myapp://done?code=canary-code&state=canary-state", RESULT)
        servers.use {
            verifier.use {
                val progress = runBlocking { verifier.retrieving().toList() }
                val number = (progress.last() as Progress.Retrieved).number
                assertEquals(NUMBER, number.phoneNumber())
                assertTrue("canary-token" in number.responseJson())
                assertNoSecret(verifier, progress, number, number.trace, number.trace.toJson(), number.trace.hops)
            }
        }
    }

    /** The operator exposes the number before the library knows it. */
    @Test
    fun retrievalErrorExposesNoSecret() {
        for (response in listOf(
            ScriptedServer.redirect("myapp://done?error=access_denied&error_description=for%20%2B${NUMBER.drop(1)}&state=canary-state"),
            ScriptedServer.redirect("myapp://done?error=for_${NUMBER.drop(1)}&state=canary-state"),
            ScriptedServer.redirect("javascript:$NUMBER"),
            ScriptedServer.status(200, "<html><title>Your number is $NUMBER</title></html>"),
            ScriptedServer.redirect("myapp://done?code=canary-code&state=canary-state"),
        )) {
            // The last one fails at the result, which contains both fields.
            val (verifier, servers) = verifierWith("""{"phoneNumber":"$NUMBER","verified":true}""") { response }
            servers.use {
                val error = assertFailsWith<VerifyException> { verifier.use { runBlocking { it.retrieve() } } }
                assertNoSecret(error, error.message, error.localizedMessage, error.stackTraceToString(), error.trace, error.trace?.toJson())
                assertNoSecret(serialized(error))
            }
        }
    }

    @Test
    fun invalidPhoneNumberIsNotExposed() {
        val (verifier, servers) = verifier("myapp://done")
        servers.use {
            val error = assertFailsWith<VerifyException.InvalidPhoneNumber> { verifier.use { runBlocking { it.verify("canary-number") } } }
            assertNoSecret(error, error.stackTraceToString(), error.trace)
        }
    }

    @Test
    fun customBackendRequestsExposeNoSecret() {
        val authUrl = "https://op.test/?state=canary-state"
        val backend =
            object : Backend {
                override suspend fun start(request: StartRequest): AuthorizationStart {
                    assertNoSecret(request)
                    return AuthorizationStart(authUrl, "myapp://done", "canary-session", "canary-state").also { assertNoSecret(it) }
                }

                override suspend fun complete(request: CompletionRequest): String = error("not reached")
            }
        NumberVerifier(Loopback(), backend, "https://unused.test") {
            useGenerousDeadlines()
            development.anyNetwork = true
            development.resolve += "op.test:443:127.0.0.1"
        }.use {
            val error = assertFailsWith<VerifyException.Authorization> { runBlocking { it.verify(NUMBER) } }
            assertNoSecret(error, error.trace)
        }
    }

    /** Serializes the error, as a crash reporter or a Bundle may do. */
    private fun serialized(error: VerifyException): String {
        val bytes = ByteArrayOutputStream()
        ObjectOutputStream(bytes).use { it.writeObject(error) }
        return bytes.toString(Charsets.ISO_8859_1)
    }

    private companion object {
        const val NUMBER = "+14155550123"
        const val RESULT = """{"phoneNumber":"$NUMBER","token":"canary-token"}"""
        val CANARIES = listOf("canary", NUMBER.drop(1), NUMBER.drop(2))
        val authority = Authority("operators")
    }
}
