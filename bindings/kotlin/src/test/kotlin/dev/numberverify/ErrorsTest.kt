package dev.numberverify

import dev.numberverify.testsupport.ClosedPort
import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import org.junit.AfterClass
import org.junit.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue

/**
 * Each kind of error except the operator's, triggered by a real cause: its exception, its fallback,
 * and a readable message.
 */
class ErrorsTest {
    private fun verify(
        backend: String,
        network: CellularProvider = Loopback(),
        number: String = Simulator.NUMBER,
        configure: NumberVerifierConfig.() -> Unit = { development.anyNetwork = true },
    ) = NumberVerifier(network, backend) {
        useGenerousDeadlines()
        configure()
    }.use { runBlocking { it.verify(number) } }

    @Test
    fun invalidPhoneNumberIsRejected() {
        for (number in listOf("", "12", "14155550100", "+0123456", "+1415555o100")) {
            val error = failing<VerifyException.InvalidPhoneNumber> { verify("https://unused.test", number = number) }
            assertEquals(Fallback.FIX_INTEGRATION, error.fallback)
            assertNotNull(error.trace)
        }
    }

    @Test
    fun invalidSettingsAreRejected() {
        val cases: List<Pair<String, NumberVerifierConfig.() -> Unit>> =
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
                "authOrigin" to { authOrigin = "auth.example.com" },
                "userAgent" to { userAgent = "two\nlines" },
                "rootCertificates" to { development.rootCertificates += "not PEM" },
                "resolve" to { development.resolve += "host" },
                "dnsServers" to { development.dnsServers += "name" },
            )
        for ((setting, configure) in cases) {
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
    fun unboundNetworkIsRejectedUnlessAllowed() {
        val error =
            failing<VerifyException.InvalidConfig> {
                verify(simulator.backend(), configure = {
                    simulator.trust(this)
                    development.anyNetwork =
                        false
                })
            }
        assertEquals("anyNetwork", error.setting)
    }

    @Test
    fun unavailableNetworkIsReportedWithItsCause() {
        val fallbacks =
            CellularCause.entries.associateWith {
                when (it) {
                    CellularCause.DATA_OFF, CellularCause.BLOCKED_IN_BACKGROUND -> Fallback.ASK_TO_ENABLE_MOBILE_DATA
                    CellularCause.PERMISSION -> Fallback.FIX_INTEGRATION
                    CellularCause.TOO_MANY_REQUESTS, CellularCause.SYSTEM_FAULT -> Fallback.RETRY_LATER
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
        assertEquals(CellularCause.entries.size, messages.size, "each cause has a distinct message")
    }

    @Test
    fun providerWithAnUndeclaredExceptionIsUnsupported() {
        val network = Loopback { error("a bug with $CANARY") }
        val error = failing<VerifyException.CellularUnavailable> { verify(simulator.backend(), network, configure = simulator::trust) }
        assertEquals(CellularCause.UNSUPPORTED, error.reason)
        network.awaitReleases(1)
    }

    @Test
    fun acquireTimeoutIsReported() {
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
    fun backendErrorStatusIsReported() {
        val cases =
            listOf(
                Triple(400, Fallback.FIX_INTEGRATION, "correct the backend"),
                Triple(403, Fallback.USE_ANOTHER_CHANNEL, "another way"),
                Triple(500, Fallback.RETRY_LATER, "try again later"),
            )
        for ((status, fallback, advice) in cases) {
            ScriptedServer { ScriptedServer.status(status) }.use { server ->
                val error = failing<VerifyException.Backend> { verify("http://127.0.0.1:${server.port}") }
                assertEquals(
                    listOf(Step.START, BackendCause.STATUS, status, null),
                    listOf(error.step, error.reason, error.status, error.retryAfterSeconds),
                )
                assertEquals(fallback, error.fallback)
                assertContains(error.message.orEmpty(), advice)
            }
        }
    }

    @Test
    fun retryAfterAndFallbackOfTheBackendAreReported() {
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
    fun unreachableBackendIsReported() {
        fun reason(
            url: String,
            configure: NumberVerifierConfig.() -> Unit = {},
        ): Pair<BackendCause, Fallback> {
            val error =
                failing<VerifyException.Backend> {
                    verify(url) {
                        development.anyNetwork = true
                        configure()
                    }
                }
            assertNull(error.status)
            return error.reason to error.fallback
        }
        ClosedPort().use {
            assertEquals(BackendCause.UNREACHABLE to Fallback.RETRY_LATER, reason("http://127.0.0.1:${it.port}"))
        }
        ScriptedServer { null }.use { silent ->
            assertEquals(
                BackendCause.TIMEOUT to Fallback.RETRY_LATER,
                reason("http://127.0.0.1:${silent.port}") { deadlines.backendMs = 100 },
            )
        }
        val untrusted: NumberVerifierConfig.() -> Unit = {
            simulator.trust(this)
            development.rootCertificates = emptyList()
        }
        assertEquals(BackendCause.TLS to Fallback.FIX_INTEGRATION, reason(simulator.backend(), untrusted))
    }

    @Test
    fun malformedBackendResponseIsReported() {
        for (body in listOf("{}", """{"authUrl":"http://op.test/"}""", "hello $CANARY")) {
            ScriptedServer { ScriptedServer.status(200, body, "application/json") }.use { server ->
                val error = failing<VerifyException.Backend> { verify("http://127.0.0.1:${server.port}") }
                assertEquals(BackendCause.MALFORMED_ANSWER to Fallback.FIX_INTEGRATION, error.reason to error.fallback)
            }
        }
    }

    @Test
    fun customBackendFailureIsReported() {
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
        assertEquals(BackendCause.APP_FAILED, complete { error("a bug with $CANARY") }.reason)
    }

    @Test
    fun overallDeadlineIsReported() {
        ScriptedServer { null }.use { silent ->
            val error =
                failing<VerifyException.DeadlineExceeded> {
                    verify("http://127.0.0.1:${silent.port}") {
                        development.anyNetwork =
                            true
                        ; deadlines.overallMs = 100
                    }
                }
            assertEquals(Step.START to Fallback.RETRY_LATER, error.step to error.fallback)
        }
    }

    @Test
    fun closingTheVerifierCancelsTheVerification() {
        val network = Loopback { CompletableDeferred<Unit>().await() }
        val verifier = NumberVerifier(network, simulator.backend(), configure = simulator::trust)
        runBlocking {
            val error = async { assertFailsWith<VerifyException.Cancelled> { verifier.verify(Simulator.NUMBER) }.also(::assertReadable) }
            network.began.await()
            verifier.close()
            assertEquals(Fallback.RETRY_LATER, error.await().fallback)
        }
        network.awaitReleases(1)
        verifier.close()
        runBlocking {
            assertFailsWith<IllegalStateException> { verifier.verify(Simulator.NUMBER) }
            assertFailsWith<IllegalStateException> { verifier.retrieve() }
            assertFailsWith<IllegalStateException> { verifier.check() }
            assertFailsWith<IllegalStateException> { verifier.prepare() }
            assertFailsWith<IllegalStateException> { verifier.forgetHosts() }
        }
    }

    /** The collector is still processing the first event when the verification has failed. */
    @Test
    fun noProgressIsLostIfTheVerificationFails() {
        val network = Loopback()
        val seen = mutableListOf<Progress>()
        ScriptedServer { ScriptedServer.status(404) }.use { server ->
            NumberVerifier(network, "http://127.0.0.1:${server.port}") { development.anyNetwork = true }.use {
                failing<VerifyException.Backend> {
                    runBlocking {
                        it.verifying(Simulator.NUMBER).collect { progress ->
                            if (seen.isEmpty()) withContext(Dispatchers.IO) { network.awaitReleases(1) }
                            seen += progress
                        }
                    }
                }
            }
        }
        val began = seen.filterIsInstance<Progress.StepBegan>().map(Progress.StepBegan::step)
        assertEquals(setOf(Step.START, Step.ACQUIRE), began.toSet())
    }

    companion object {
        private val simulator = Simulator()

        @AfterClass
        @JvmStatic
        fun stop() = simulator.close()
    }
}
