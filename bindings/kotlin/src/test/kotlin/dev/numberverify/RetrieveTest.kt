package dev.numberverify

import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import org.json.JSONObject
import org.junit.AfterClass
import org.junit.Test
import kotlin.test.assertEquals
import kotlin.test.assertIs

/**
 * A retrieval from Kotlin: the real Rust library, a scripted backend, and the simulator's
 * operators.
 */
class RetrieveTest {
    private val network = Loopback()

    private fun backend(result: String = NUMBER_JSON) =
        ScriptedServer { path ->
            val body = if (path == "/start") """{"authUrl":"${simulator.authUrl()}"}""" else result
            ScriptedServer.status(200, body, "application/json")
        }

    private fun <T> ScriptedServer.verifier(
        configure: NumberVerifierConfig.() -> Unit = {},
        test: suspend NumberVerifier.() -> T,
    ): T =
        NumberVerifier(network, "http://127.0.0.1:$port") {
            simulator.trust(this)
            configure()
        }.use { runBlocking { it.test() } }

    @Test
    fun numberOfTheSimIsRetrieved() =
        backend().use { server ->
            val number = server.verifier { retrieve() }
            assertEquals(Simulator.NUMBER, number.phoneNumber())
            assertEquals(NUMBER_JSON, number.responseJson())
            assertEquals(NetworkKind.UNBOUND, number.trace.network)
            assertEquals(listOf("""{"purpose":"device-phone-number"}"""), server.bodiesOf("/start"))
        }

    @Test
    fun camaraFieldNameIsAccepted() =
        backend("""{"devicePhoneNumber":"${Simulator.NUMBER}"}""").use { server ->
            assertEquals(Simulator.NUMBER, server.verifier { retrieve() }.phoneNumber())
        }

    @Test
    fun startFieldsAreSentWithThePurpose() =
        backend().use { server ->
            server.verifier { retrieve { startField("attestation", "token").startFieldJson("device", """{"level":1}""") } }
            val body = JSONObject(server.bodiesOf("/start").single())
            assertEquals(setOf("purpose", "attestation", "device"), body.keys().asSequence().toSet())
            assertEquals(listOf("device-phone-number", "token"), listOf(body.getString("purpose"), body.getString("attestation")))
            assertEquals(1, body.getJSONObject("device").getInt("level"))
        }

    @Test
    fun verificationHasNoPurpose() =
        backend("""{"verified":true}""").use { server ->
            server.verifier { verify(Simulator.NUMBER) }
            assertEquals(listOf("""{"phoneNumber":"${Simulator.NUMBER}"}"""), server.bodiesOf("/start"))
        }

    @Test
    fun progressIsOrderedAndEndsWithTheNumber() =
        backend().use { server ->
            val progress = server.verifier { retrieving().toList() }
            val retrieved = assertIs<Progress.Retrieved>(progress.last())
            assertEquals(Simulator.NUMBER, retrieved.number.phoneNumber())
            val began = progress.filterIsInstance<Progress.StepBegan>().map { it.step }
            assertEquals(listOf(Step.START, Step.ACQUIRE, Step.AUTHORIZE, Step.COMPLETE), began)
            val hops = progress.filterIsInstance<Progress.HopAnswered>().map { it.hop.index }
            assertEquals(
                retrieved.number.trace.hops
                    .map(Hop::index),
                hops,
            )
        }

    @Test
    fun slowRetrievalIsReportedOnceAndContinues() =
        backend().use { server ->
            val progress = server.verifier({ slowAfterMs = 1 }) { retrieving().toList() }
            assertIs<Progress.Retrieved>(progress.last())
            assertEquals(1, progress.count { it is Progress.Slow })
        }

    @Test
    fun eachCollectorRunsASeparateRetrieval() =
        backend().use { server ->
            server.verifier {
                val flow = retrieving()
                assertEquals(0, network.acquired.get(), "nothing runs before collection")
                val correlators = List(2) { assertIs<Progress.Retrieved>(flow.toList().last()).number.trace.correlator }
                assertEquals(2, correlators.toSet().size)
            }
        }

    @Test
    fun responseWithoutANumberIsMalformed() {
        for (response in listOf(
            """{"verified":true}""",
            """{"devicePhoneNumberVerified":false}""",
            """{"phoneNumber":"${Simulator.NUMBER}","verified":true}""",
            """{"phoneNumber":"${Simulator.NUMBER}","devicePhoneNumber":"${Simulator.OTHER_NUMBER}"}""",
            """{"phoneNumber":"+1 415 555 0100"}""",
            """{"phoneNumber":null}""",
            "{}",
        )) {
            assertMalformed(response) { retrieve() }
        }
    }

    @Test
    fun verificationResponseWithANumberIsMalformed() {
        for (response in listOf(
            NUMBER_JSON,
            """{"devicePhoneNumber":"${Simulator.NUMBER}"}""",
            """{"verified":true,"phoneNumber":"${Simulator.NUMBER}"}""",
        )) {
            assertMalformed(response) { verify(Simulator.NUMBER) }
        }
    }

    private fun assertMalformed(
        response: String,
        call: suspend NumberVerifier.() -> Unit,
    ) = backend(response).use { server ->
        val error = failing<VerifyException.Backend> { server.verifier { call() } }
        assertEquals(listOf(Step.COMPLETE, BackendCause.MALFORMED_ANSWER), listOf(error.step, error.reason), response)
        assertEquals(Fallback.FIX_INTEGRATION, error.fallback, response)
    }

    @Test
    fun backendWithoutRetrievalReturnsFixIntegration() {
        val problem = """{"fallback":"fix_integration"}"""
        ScriptedServer { ScriptedServer.status(501, problem, "application/problem+json") }.use { server ->
            val error = failing<VerifyException.Backend> { server.verifier { retrieve() } }
            assertEquals(listOf(Step.START, BackendCause.STATUS, 501), listOf(error.step, error.reason, error.status))
            assertEquals(Fallback.FIX_INTEGRATION, error.fallback)
            assertEquals(1, server.requests.get())
        }
    }

    @Test
    fun customBackendReceivesNoNumber() {
        val phoneNumbers = mutableListOf<String?>()
        val backend =
            object : Backend {
                override suspend fun start(request: StartRequest): AuthorizationStart {
                    phoneNumbers += request.phoneNumber()
                    return AuthorizationStart(simulator.authUrl())
                }

                override suspend fun complete(request: CompletionRequest): String = NUMBER_JSON
            }
        NumberVerifier(network, backend, "https://unused.test") { simulator.trust(this) }.use {
            assertEquals(Simulator.NUMBER, runBlocking { it.retrieve() }.phoneNumber())
        }
        assertEquals(listOf<String?>(null), phoneNumbers)
    }

    private companion object {
        const val NUMBER_JSON = """{"phoneNumber":"${Simulator.NUMBER}"}"""
        val simulator = Simulator()

        @AfterClass
        @JvmStatic
        fun stop() = simulator.close()
    }
}
