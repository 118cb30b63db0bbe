package dev.numberverify

import dev.numberverify.testsupport.ClosedPort
import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.runBlocking
import org.junit.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertNull

/** Each kind of error on the operator's side, made by an operator that does so. */
class OperatorErrorsTest {
    @Test
    fun theOperatorsSide() {
        val page = "<html><title>Please call us</title></html>"
        val longHeader = "HTTP/1.1 200 OK\r\n" + (1..70).joinToString("") { "X-$it: ${"x".repeat(1000)}\r\n" } + "\r\n"
        val twoLengths = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
        val rows =
            listOf<Triple<AuthorizationCause, Fallback, (String) -> String?>>(
                Triple(AuthorizationCause.TIMEOUT, Fallback.USE_ANOTHER_CHANNEL) { null },
                Triple(AuthorizationCause.CLOSED, Fallback.USE_ANOTHER_CHANNEL) { "" },
                Triple(AuthorizationCause.HTTP_STATUS, Fallback.USE_ANOTHER_CHANNEL) { ScriptedServer.status(404) },
                Triple(AuthorizationCause.HTTP_STATUS, Fallback.RETRY_LATER) { ScriptedServer.status(503) },
                Triple(AuthorizationCause.TOO_MANY_REDIRECTS, Fallback.USE_ANOTHER_CHANNEL) { ScriptedServer.redirect("$it/x") },
                Triple(AuthorizationCause.REDIRECT_LOOP, Fallback.USE_ANOTHER_CHANNEL) {
                    ScriptedServer.redirect("/authorize?state=$STATE&redirect_uri=myapp%3A%2F%2Fdone")
                },
                Triple(
                    AuthorizationCause.FORBIDDEN_REDIRECT,
                    Fallback.USE_ANOTHER_CHANNEL,
                ) { ScriptedServer.redirect("http://127.0.0.1/") },
                Triple(AuthorizationCause.BAD_LOCATION, Fallback.USE_ANOTHER_CHANNEL) { ScriptedServer.status(302) },
                Triple(AuthorizationCause.UNEXPECTED_PAGE, Fallback.USE_ANOTHER_CHANNEL) { ScriptedServer.status(200, page) },
                Triple(AuthorizationCause.MALFORMED_RESPONSE, Fallback.USE_ANOTHER_CHANNEL) { twoLengths },
                Triple(AuthorizationCause.TOO_LARGE, Fallback.USE_ANOTHER_CHANNEL) { longHeader },
            )
        for ((reason, fallback, answer) in rows) {
            val error = walk<VerifyException.Authorization>({ if (reason == AuthorizationCause.TIMEOUT) deadlines.answerMs = 500 }, answer)
            assertEquals(reason, error.reason)
            assertEquals(fallback, error.fallback, "$reason")
            assertEquals("op.test", error.host)
            assertEquals(error.trace?.hops?.size, error.hop)
            assertContains(error.message.orEmpty(), "op.test")
            if (reason == AuthorizationCause.UNEXPECTED_PAGE) {
                assertEquals(
                    "Please call us",
                    error.trace
                        ?.hops
                        ?.last()
                        ?.pageTitle,
                )
            }
        }
    }

    @Test
    fun anOperatorThatIsNotReached() {
        NoNames().use { dns ->
            val unknown =
                authorize<VerifyException.Authorization>(443, Loopback(NetworkBinding.LinuxInterface("lo"))) {
                    development.dnsServers += dns.address
                    development.resolve = emptyList()
                }
            assertEquals(AuthorizationCause.DNS to Fallback.USE_ANOTHER_CHANNEL, unknown.reason to unknown.fallback)
        }
        val closed = ClosedPort().use { authorize<VerifyException.Authorization>(it.port) }
        assertEquals(AuthorizationCause.CONNECT to Fallback.USE_ANOTHER_CHANNEL, closed.reason to closed.fallback)
    }

    @Test
    fun anOperatorThatTlsRefuses() {
        val untrusted = Authority("somebody else").issue("op.test")
        ScriptedServer(untrusted) { ScriptedServer.status(200) }.use { server ->
            val error = authorize<VerifyException.Authorization>(server.port)
            assertEquals(AuthorizationCause.TLS to Fallback.USE_ANOTHER_CHANNEL, error.reason to error.fallback)
            assertNull(error.alert)
            assertEquals(0, server.requests.get(), "nothing is sent to a server that is not trusted")
        }
        AlertingServer().use { server ->
            val error = authorize<VerifyException.Authorization>(server.port)
            assertEquals(AuthorizationCause.TLS to "handshake_failure", error.reason to error.alert)
        }
    }

    @Test
    fun anOperatorThatRefuses() {
        val rows =
            listOf(
                "access_denied" to Fallback.USE_ANOTHER_CHANNEL,
                "temporarily_unavailable" to Fallback.RETRY_LATER,
                "invalid_scope" to Fallback.FIX_INTEGRATION,
            )
        for ((code, fallback) in rows) {
            val error =
                walk<VerifyException.DeniedByOperator> {
                    ScriptedServer.redirect(
                        "myapp://done?error=$code&error_description=$CANARY&state=$STATE",
                    )
                }
            assertEquals(listOf<Any?>(code, CANARY, 1, "op.test"), listOf(error.error, error.description(), error.hop, error.host))
            assertEquals(fallback, error.fallback)
            assertContains(error.message.orEmpty(), code)
        }
        val strange = walk<VerifyException.DeniedByOperator> { ScriptedServer.redirect("myapp://done?error=a+b%0A&state=$STATE") }
        assertNull(strange.error)
        assertNull(strange.description())
    }

    @Test
    fun aPhoneWhoseSimTheOperatorDoesNotKnow() {
        Simulator("--sim", "10.0.0.0/8=${Simulator.NUMBER}").use { elsewhere ->
            val error =
                failing<VerifyException.DeniedByOperator> {
                    NumberVerifier(Loopback(), elsewhere.backend(), configure = elsewhere::trust).use {
                        runBlocking { it.verify(Simulator.NUMBER) }
                    }
                }
            assertEquals("access_denied", error.error)
            assertEquals("The subscriber could not be identified.", error.description())
        }
    }

    @Test
    fun anAnswerForAnotherFlow() {
        val error = walk<VerifyException.StateMismatch> { ScriptedServer.redirect("myapp://done?code=$CANARY&state=other") }
        assertEquals(listOf<Any?>(1, "op.test", Fallback.USE_ANOTHER_CHANNEL), listOf(error.hop, error.host, error.fallback))
    }

    /** A flow whose operator answers so. */
    private inline fun <reified E : VerifyException> walk(
        crossinline configure: NumberVerifierConfig.() -> Unit = {},
        noinline answer: (String) -> String?,
    ): E = ScriptedServer(authority.issue("op.test"), answer).use { authorize(it.port, configure = configure) }

    private inline fun <reified E : VerifyException> authorize(
        port: Int,
        network: Loopback = Loopback(),
        crossinline configure: NumberVerifierConfig.() -> Unit = {},
    ): E {
        val backend = OneUrl("https://op.test:$port/authorize?state=$STATE&redirect_uri=myapp%3A%2F%2Fdone")
        val verifier =
            NumberVerifier(network, backend, "https://unused.test") {
                useGenerousDeadlines()
                development.anyNetwork = true
                development.rootCertificates += authority.root.pem
                development.resolve += "op.test:$port:127.0.0.1"
                configure()
            }
        return verifier.use { failing<E> { runBlocking { it.verify(Simulator.NUMBER) } } }.also { network.awaitReleases(1) }
    }

    private companion object {
        const val STATE = "canary-state"
        val authority = Authority("operators")
    }
}
