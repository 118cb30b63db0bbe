package dev.numberverify

import dev.numberverify.testsupport.ClosedPort
import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.runBlocking
import org.junit.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertNull

/** Each kind of error on the operator's side, triggered by an operator that behaves accordingly. */
class OperatorErrorsTest {
    @Test
    fun operatorFailureIsReportedWithItsCause() {
        val page = "<html><title>Please call us</title></html>"
        val longHeader = "HTTP/1.1 200 OK\r\n" + (1..70).joinToString("") { "X-$it: ${"x".repeat(1000)}\r\n" } + "\r\n"
        val twoLengths = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
        val cases =
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
        for ((reason, fallback, response) in cases) {
            val error =
                walk<VerifyException.Authorization>({ if (reason == AuthorizationCause.TIMEOUT) deadlines.answerMs = 500 }, response)
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
    fun unreachableOperatorIsReported() {
        NxDomainServer().use { dns ->
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
    fun tlsFailureIsReported() {
        val untrusted = Authority("another authority").issue("op.test")
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
    fun denialIsReportedWithTheOperatorsCode() {
        val cases =
            listOf(
                "access_denied" to Fallback.USE_ANOTHER_CHANNEL,
                "temporarily_unavailable" to Fallback.RETRY_LATER,
                "invalid_scope" to Fallback.FIX_INTEGRATION,
            )
        for ((code, fallback) in cases) {
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
        val malformed = walk<VerifyException.DeniedByOperator> { ScriptedServer.redirect("myapp://done?error=a+b%0A&state=$STATE") }
        assertNull(malformed.error)
        assertNull(malformed.description())
    }

    @Test
    fun unknownSimIsDenied() {
        Simulator("--sim", "10.0.0.0/8=${Simulator.NUMBER}").use { simulator ->
            val error =
                failing<VerifyException.DeniedByOperator> {
                    NumberVerifier(Loopback(), simulator.backend(), configure = simulator::trust).use {
                        runBlocking { it.verify(Simulator.NUMBER) }
                    }
                }
            assertEquals("access_denied", error.error)
            assertEquals("The subscriber could not be identified.", error.description())
        }
    }

    @Test
    fun stateOfAnotherVerificationIsRejected() {
        val error = walk<VerifyException.StateMismatch> { ScriptedServer.redirect("myapp://done?code=$CANARY&state=other") }
        assertEquals(listOf<Any?>(1, "op.test", Fallback.USE_ANOTHER_CHANNEL), listOf(error.hop, error.host, error.fallback))
    }

    /** Runs a verification whose operator sends this response. */
    private inline fun <reified E : VerifyException> walk(
        crossinline configure: NumberVerifierConfig.() -> Unit = {},
        noinline response: (String) -> String?,
    ): E = ScriptedServer(authority.issue("op.test"), response).use { authorize(it.port, configure = configure) }

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
