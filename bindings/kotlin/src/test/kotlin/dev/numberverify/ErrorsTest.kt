package dev.numberverify

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.async
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.runBlocking
import org.junit.AfterClass
import org.junit.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue

/** Each kind of error, made by a real cause: its exception, its fallback, and a message that a developer can read. */
class ErrorsTest {
    private inline fun <reified E : VerifyException> failing(verify: () -> Unit): E = assertFailsWith<E> { verify() }.also(::assertReadable)

    /** A sentence with advice, and nothing secret in any printed form. */
    private fun assertReadable(error: VerifyException) {
        val message = checkNotNull(error.message)
        assertTrue(Regex("[A-Z][^:]+(: .+)+\\.").matches(message), message)
        assertFalse("null" in message || "=" in message, message)
        for (printed in listOf("$error", "${error.trace}", error.trace?.toJson().orEmpty())) {
            for (secret in SECRETS + Simulator.NUMBER.drop(1)) assertFalse(secret in printed, "$secret in $printed")
        }
    }

    private fun verify(
        backend: String,
        network: CellularProvider = Loopback(),
        number: String = Simulator.NUMBER,
        configure: NumberVerifierConfig.() -> Unit = { development.anyNetwork = true },
    ) = NumberVerifier(network, backend, configure = configure).use { runBlocking { it.verify(number) } }

    @Test
    fun aPhoneNumberThatIsNone() {
        for (number in listOf("", "12", "14155550100", "+0123456", "+1415555o100")) {
            val error = failing<VerifyException.InvalidPhoneNumber> { verify("https://unused.test", number = number) }
            assertEquals(Fallback.FIX_INTEGRATION, error.fallback)
            assertNotNull(error.trace)
        }
    }

    @Test
    fun settingsThatCannotWork() {
        val rows: List<Pair<String, NumberVerifierConfig.() -> Unit>> =
            listOf(
                "startPath" to { startPath = "../outside" },
                "completePath" to { completePath = "a/../../outside" },
                "redirectLimit" to { redirectLimit = 16 },
                "redirectLimit" to { redirectLimit = 300 },
                "redirectLimit" to { redirectLimit = -1 },
                "overallMs" to { deadlines.overallMs = 0 },
                "acquireMs" to { deadlines.acquireMs = -1 },
                "connectMs" to { deadlines.connectMs = Long.MAX_VALUE },
                "answerMs" to { deadlines.answerMs = 0 },
                "backendMs" to { deadlines.backendMs = 0 },
                "headers" to { header("Host", "evil.test") },
                "operatorHeaders" to { operatorHeader("bad name", "x") },
                "fieldNames" to { fieldNames.code = fieldNames.state },
                "redirectUri" to { redirectUri = "not a URI" },
                "userAgent" to { userAgent = "two\nlines" },
                "rootCertificates" to { development.rootCertificates += "not PEM" },
                "resolve" to { development.resolve += "host" },
                "dnsServers" to { development.dnsServers += "name" },
            )
        for ((setting, configure) in rows) {
            val error = failing<VerifyException.InvalidConfig> { verify("https://unused.test/number-verify", configure = configure) }
            assertEquals(setting, error.setting)
            assertEquals(Fallback.FIX_INTEGRATION, error.fallback)
            assertContains(error.message.orEmpty(), setting)
        }
        for (url in listOf("", "http://api.test", "https://user@api.test", "https://api.test/?a=1")) {
            assertEquals("backendUrl", failing<VerifyException.InvalidConfig> { verify(url) }.setting)
        }
    }

    @Test
    fun anUnboundNetworkIsRefusedUnlessItIsAllowed() {
        val error = failing<VerifyException.InvalidConfig> { verify(simulator.backend(), configure = { simulator.trust(this); development.anyNetwork = false }) }
        assertEquals("anyNetwork", error.setting)
    }

    @Test
    fun aCellularNetworkThatIsNotThere() {
        val fallbacks =
            CellularCause.entries.associateWith {
                when (it) {
                    CellularCause.DATA_OFF, CellularCause.BLOCKED_IN_BACKGROUND -> Fallback.ASK_TO_ENABLE_MOBILE_DATA
                    CellularCause.PERMISSION -> Fallback.FIX_INTEGRATION
                    CellularCause.TOO_MANY_REQUESTS -> Fallback.RETRY_LATER
                    else -> Fallback.USE_ANOTHER_CHANNEL
                }
            }
        val messages = mutableSetOf<String?>()
        for ((cause, fallback) in fallbacks) {
            val network = Loopback { throw CellularException.Unavailable(cause) }
            val error = failing<VerifyException.CellularUnavailable> { verify(simulator.backend(), network, configure = simulator::trust) }
            assertEquals(cause, error.reason)
            assertEquals(fallback, error.fallback, "$cause")
            messages += error.message
            network.awaitReleases(1)
        }
        assertEquals(CellularCause.entries.size, messages.size, "each cause has a sentence of its own")
    }

    @Test
    fun aProviderThatThrowsSomethingElseIsUnsupported() {
        val network = Loopback { error("a bug with ${SECRETS[0]}") }
        val error = failing<VerifyException.CellularUnavailable> { verify(simulator.backend(), network, configure = simulator::trust) }
        assertEquals(CellularCause.UNSUPPORTED, error.reason)
        network.awaitReleases(1)
    }

    @Test
    fun aNetworkThatDoesNotComeUpInTime() {
        val network = Loopback { CompletableDeferred<Unit>().await() }
        val error =
            failing<VerifyException.CellularUnavailable> {
                verify(simulator.backend(), network) {
                    simulator.trust(this)
                    deadlines.acquireMs = 100
                }
            }
        assertEquals(CellularCause.TIMEOUT, error.reason)
        network.awaitReleases(1)
    }

    @Test
    fun backendsThatAnswerNo() {
        val rows =
            listOf(
                Triple(400, Fallback.FIX_INTEGRATION, "correct the backend"),
                Triple(403, Fallback.USE_ANOTHER_CHANNEL, "another way"),
                Triple(500, Fallback.RETRY_LATER, "try again later"),
            )
        for ((status, fallback, advice) in rows) {
            ScriptedServer { ScriptedServer.status(status) }.use { server ->
                val error = failing<VerifyException.Backend> { verify("http://127.0.0.1:${server.port}") }
                assertEquals(listOf(Step.START, BackendCause.STATUS, status, null), listOf(error.step, error.reason, error.status, error.retryAfterSeconds))
                assertEquals(fallback, error.fallback)
                assertContains(error.message.orEmpty(), advice)
            }
        }
    }

    @Test
    fun aBackendSaysWhenToComeBackAndWhatToDo() {
        val busy = "HTTP/1.1 503 X\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"
        ScriptedServer { busy }.use { server ->
            val error = failing<VerifyException.Backend> { verify("http://127.0.0.1:${server.port}") }
            assertEquals(3600, error.retryAfterSeconds)
            assertContains(error.message.orEmpty(), "3600 s")
        }
        val problem = """{"fallback":"use_another_channel"}"""
        ScriptedServer { ScriptedServer.status(500, problem, "application/problem+json") }.use { server ->
            val error = failing<VerifyException.Backend> { verify("http://127.0.0.1:${server.port}") }
            assertEquals(Fallback.USE_ANOTHER_CHANNEL, error.fallback)
        }
    }

    @Test
    fun backendsThatDoNotAnswer() {
        fun reason(
            url: String,
            configure: NumberVerifierConfig.() -> Unit = {},
        ): Pair<BackendCause, Fallback> {
            val error = failing<VerifyException.Backend> { verify(url) { development.anyNetwork = true; configure() } }
            assertNull(error.status)
            return error.reason to error.fallback
        }
        assertEquals(BackendCause.UNREACHABLE to Fallback.RETRY_LATER, reason("http://127.0.0.1:${ScriptedServer.closedPort()}"))
        ScriptedServer { null }.use { silent ->
            assertEquals(BackendCause.TIMEOUT to Fallback.RETRY_LATER, reason("http://127.0.0.1:${silent.port}") { deadlines.backendMs = 100 })
        }
        val untrusted: NumberVerifierConfig.() -> Unit = {
            simulator.trust(this)
            development.rootCertificates = emptyList()
        }
        assertEquals(BackendCause.TLS to Fallback.FIX_INTEGRATION, reason(simulator.backend(), untrusted))
    }

    @Test
    fun aBackendThatBreaksTheContract() {
        for (body in listOf("{}", """{"authUrl":"http://op.test/"}""", "hello ${SECRETS[0]}")) {
            ScriptedServer { ScriptedServer.status(200, body, "application/json") }.use { server ->
                val error = failing<VerifyException.Backend> { verify("http://127.0.0.1:${server.port}") }
                assertEquals(BackendCause.MALFORMED_ANSWER to Fallback.FIX_INTEGRATION, error.reason to error.fallback)
            }
        }
    }

    @Test
    fun anAppsOwnBackendThatFails() {
        fun complete(failure: () -> String): VerifyException.Backend {
            val backend = OneUrl(simulator.authUrl(), failure)
            return failing {
                NumberVerifier(Loopback(), backend, "https://unused.test", configure = simulator::trust).use {
                    runBlocking { it.verify(Simulator.NUMBER) }
                }
            }
        }
        val busy = complete { throw BackendException.Status(429u, null, 7u) }
        assertEquals(listOf<Any?>(Step.COMPLETE, 429, 7L), listOf(busy.step, busy.status, busy.retryAfterSeconds))
        assertEquals(BackendCause.UNREACHABLE, complete { throw BackendException.Unreachable() }.reason)
        assertEquals(BackendCause.MALFORMED_ANSWER, complete { """{"verified":"true"}""" }.reason)
        assertEquals(BackendCause.MALFORMED_ANSWER, complete { error("a bug with ${SECRETS[0]}") }.reason)
    }

    @Test
    fun theOperatorsSide() {
        val page = "<html><title>Please call us</title></html>"
        val longHeader = "HTTP/1.1 200 OK\r\n" + (1..70).joinToString("") { "X-$it: ${"x".repeat(1000)}\r\n" } + "\r\n"
        val twoLengths = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
        val rows =
            listOf<Triple<AuthorizationCause, Fallback, (String) -> String?>>(
                Triple(AuthorizationCause.TIMEOUT, Fallback.RETRY_LATER) { null },
                Triple(AuthorizationCause.CLOSED, Fallback.RETRY_LATER) { "" },
                Triple(AuthorizationCause.HTTP_STATUS, Fallback.USE_ANOTHER_CHANNEL) { ScriptedServer.status(404) },
                Triple(AuthorizationCause.HTTP_STATUS, Fallback.RETRY_LATER) { ScriptedServer.status(503) },
                Triple(AuthorizationCause.TOO_MANY_REDIRECTS, Fallback.USE_ANOTHER_CHANNEL) { ScriptedServer.redirect("$it/x") },
                Triple(AuthorizationCause.REDIRECT_LOOP, Fallback.USE_ANOTHER_CHANNEL) { ScriptedServer.redirect("/authorize?state=$STATE&redirect_uri=myapp%3A%2F%2Fdone") },
                Triple(AuthorizationCause.FORBIDDEN_REDIRECT, Fallback.USE_ANOTHER_CHANNEL) { ScriptedServer.redirect("http://127.0.0.1/") },
                Triple(AuthorizationCause.BAD_LOCATION, Fallback.USE_ANOTHER_CHANNEL) { ScriptedServer.status(302) },
                Triple(AuthorizationCause.UNEXPECTED_PAGE, Fallback.USE_ANOTHER_CHANNEL) { ScriptedServer.status(200, page) },
                Triple(AuthorizationCause.MALFORMED_RESPONSE, Fallback.USE_ANOTHER_CHANNEL) { twoLengths },
                Triple(AuthorizationCause.TOO_LARGE, Fallback.USE_ANOTHER_CHANNEL) { longHeader },
            )
        for ((reason, fallback, answer) in rows) {
            val error = walk<VerifyException.Authorization>(answer)
            assertEquals(reason, error.reason)
            assertEquals(fallback, error.fallback, "$reason")
            assertEquals("op.test", error.host)
            assertEquals(error.trace?.hops?.size, error.hop)
            assertContains(error.message.orEmpty(), "op.test")
            if (reason == AuthorizationCause.UNEXPECTED_PAGE) assertEquals("Please call us", error.trace?.hops?.last()?.pageTitle)
        }
    }

    @Test
    fun anOperatorThatIsNotReached() {
        NoNames().use { dns ->
            val unknown = authorize<VerifyException.Authorization>(443) { development.dnsServers += dns.address; development.resolve = emptyList() }
            assertEquals(AuthorizationCause.DNS to Fallback.RETRY_LATER, unknown.reason to unknown.fallback)
        }
        val closed = authorize<VerifyException.Authorization>(ScriptedServer.closedPort())
        assertEquals(AuthorizationCause.CONNECT to Fallback.RETRY_LATER, closed.reason to closed.fallback)
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
            val error = walk<VerifyException.DeniedByOperator> { ScriptedServer.redirect("myapp://done?error=$code&error_description=${SECRETS[1]}&state=$STATE") }
            assertEquals(listOf<Any?>(code, SECRETS[1], 1, "op.test"), listOf(error.error, error.description(), error.hop, error.host))
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
            val error = failing<VerifyException.DeniedByOperator> { verify(elsewhere.backend(), configure = elsewhere::trust) }
            assertEquals("access_denied", error.error)
            assertEquals("The subscriber could not be identified.", error.description())
        }
    }

    @Test
    fun anAnswerForAnotherFlow() {
        val error = walk<VerifyException.StateMismatch> { ScriptedServer.redirect("myapp://done?code=${SECRETS[0]}&state=other") }
        assertEquals(listOf<Any?>(1, "op.test", Fallback.USE_ANOTHER_CHANNEL), listOf(error.hop, error.host, error.fallback))
    }

    @Test
    fun theDeadlineOfTheWholeFlow() {
        ScriptedServer { null }.use { silent ->
            val error = failing<VerifyException.DeadlineExceeded> { verify("http://127.0.0.1:${silent.port}") { development.anyNetwork = true; deadlines.overallMs = 100 } }
            assertEquals(Step.START to Fallback.RETRY_LATER, error.step to error.fallback)
        }
    }

    @Test
    fun aVerifierThatIsClosedMeanwhile() {
        val network = Loopback { CompletableDeferred<Unit>().await() }
        val verifier = NumberVerifier(network, simulator.backend(), configure = simulator::trust)
        runBlocking {
            val flow = async { assertFailsWith<VerifyException.Cancelled> { verifier.verify(Simulator.NUMBER) }.also(::assertReadable) }
            network.began.await()
            verifier.close()
            assertEquals(Fallback.RETRY_LATER, flow.await().fallback)
        }
        network.awaitReleases(1)
        verifier.close()
        runBlocking {
            assertFailsWith<IllegalStateException> { verifier.verify(Simulator.NUMBER) }
            assertFailsWith<IllegalStateException> { verifier.check() }
            assertFailsWith<IllegalStateException> { verifier.prepare() }
        }
    }

    @Test
    fun progressFailsAsTheFlowDoes() {
        val seen = mutableListOf<Progress>()
        NumberVerifier(Loopback { throw CellularException.Unavailable(CellularCause.NO_SIM) }, simulator.backend(), configure = simulator::trust).use {
            failing<VerifyException.CellularUnavailable> { runBlocking { it.verifying(Simulator.NUMBER).collect(seen::add) } }
        }
        assertTrue(seen.any { it is Progress.StepBegan })
        assertTrue(seen.none { it is Progress.Done })
    }

    /** A flow whose operator answers so. */
    private inline fun <reified E : VerifyException> walk(noinline answer: (String) -> String?): E =
        ScriptedServer(authority.issue("op.test"), answer).use { authorize(it.port) }

    private inline fun <reified E : VerifyException> authorize(
        port: Int,
        crossinline configure: NumberVerifierConfig.() -> Unit = {},
    ): E {
        val backend = OneUrl("https://op.test:$port/authorize?state=$STATE&redirect_uri=myapp%3A%2F%2Fdone")
        val network = Loopback()
        val verifier =
            NumberVerifier(network, backend, "https://unused.test") {
                development.anyNetwork = true
                development.rootCertificates += authority.root.pem
                development.resolve += "op.test:$port:127.0.0.1"
                deadlines.answerMs = 500
                configure()
            }
        return verifier.use { failing<E> { runBlocking { it.verify(Simulator.NUMBER) } } }.also { network.awaitReleases(1) }
    }

    companion object {
        private const val STATE = "canary-state"
        private val SECRETS = listOf("canary-code", "canary-description", STATE)
        private val simulator = Simulator()
        private val authority = Authority("operators")

        @AfterClass
        @JvmStatic
        fun stop() = simulator.close()
    }
}

/** A backend that gives this auth URL to everybody. */
class OneUrl(
    private val authUrl: String,
    private val complete: suspend () -> String = { """{"verified":true}""" },
) : Backend {
    override suspend fun start(request: StartRequest): AuthorizationStart = AuthorizationStart(authUrl, null, null, null)

    override suspend fun complete(request: CompletionRequest): String = complete()
}
