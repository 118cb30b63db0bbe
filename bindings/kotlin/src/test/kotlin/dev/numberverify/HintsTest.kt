package dev.numberverify

import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.runBlocking
import org.junit.AfterClass
import org.junit.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

/**
 * An operator that works only with hints. [ScenariosTest] covers the hints of a start response with
 * the built-in client.
 */
class HintsTest {
    private fun verify(
        backend: Backend,
        hints: List<Hint> = emptyList(),
    ): Verification =
        NumberVerifier(Loopback(), backend, "https://unused.test") {
            simulator.trust(this)
            this.hints = hints
        }.use { runBlocking { it.verify(Simulator.NUMBER) } }

    @Test
    fun hintsOfTheSettingsAreApplied() {
        val verification = verify(OneUrl(authUrl), hintsFromJson(JSON))
        assertTrue(verification.verified)
        val hop = verification.trace.hops.single { it.host == HOST }
        assertEquals(AddressFamily.IPV4 to TlsVersion.TLS12, hop.family to hop.tlsVersion)
        assertEquals(emptyMap(), hop.traceIds)
        assertEquals(
            TlsVersion.TLS13,
            verification.trace.hops
                .first()
                .tlsVersion,
            "another host",
        )
    }

    @Test
    fun hintsOfACustomBackendAreApplied() {
        val backend =
            object : Backend by OneUrl(authUrl) {
                override suspend fun start(request: StartRequest) = AuthorizationStart(authUrl, hints = listOf(hint))
            }
        assertTrue(verify(backend).verified)
    }

    @Test
    fun missingHintFailsWith403() {
        for (hints in listOf(emptyList(), listOf(hint.copy(headers = emptyMap())), listOf(hint.copy(maxTls = null)))) {
            val failure = assertFailsWith<VerifyException.Authorization>("$hints") { verify(OneUrl(authUrl), hints) }
            assertEquals(403, failure.status)
        }
    }

    @Test
    fun jsonInTheFormatOfTheStartResponseIsParsed() {
        assertEquals(listOf(hint), hintsFromJson(JSON))
        assertEquals(listOf(Hint("*.op.test")), hintsFromJson("""[{"host":"*.op.test","since":2027}]"""))
    }

    @Test
    fun invalidHintsAreRejected() {
        for (json in listOf("", "{}", """[{"host":"https://op.test"}]""", """[{"host":"op.test","headers":{"Cookie":"a"}}]""", "\ud800")) {
            assertEquals("hints", assertFailsWith<VerifyException.InvalidConfig>(json) { hintsFromJson(json) }.setting)
        }
        val failure = assertFailsWith<VerifyException.InvalidConfig> { verify(OneUrl(authUrl), List(17) { hint }) }
        assertEquals("hints", failure.setting)
    }

    companion object {
        private const val HOST = "old.simulator.test"
        private const val JSON =
            """[{"host":"$HOST","headers":{"Accept":"application/json"},"addressFamily":"ipv4","maxTls":"1.2"}]"""
        private val hint = Hint(HOST, mapOf("Accept" to "application/json"), AddressFamily.IPV4, TlsVersion.TLS12)
        private val simulator = Simulator()
        private val authUrl = simulator.authUrl(operator = "works-with-hints-only")

        @AfterClass
        @JvmStatic
        fun stop() = simulator.close()
    }
}
