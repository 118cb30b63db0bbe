package dev.numberverify

import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.runBlocking
import org.junit.AfterClass
import org.junit.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

/** An operator that works only with hints. That the built-in client reads those of a start answer, [ScenariosTest] shows. */
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
    fun hintsOfTheSettings() {
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
    fun hintsOfTheAppsOwnBackend() {
        val backend =
            object : Backend by OneUrl(authUrl) {
                override suspend fun start(request: StartRequest) = AuthorizationStart(authUrl, hints = listOf(hint))
            }
        assertTrue(verify(backend).verified)
    }

    @Test
    fun withoutOneOfThem() {
        for (hints in listOf(emptyList(), listOf(hint.copy(headers = emptyMap())), listOf(hint.copy(maxTls = null)))) {
            val failure = assertFailsWith<VerifyException.Authorization>("$hints") { verify(OneUrl(authUrl), hints) }
            assertEquals(403, failure.status)
        }
    }

    @Test
    fun jsonAsTheStartAnswerHasIt() {
        assertEquals(listOf(hint), hintsFromJson(JSON))
        assertEquals(listOf(Hint("*.op.test")), hintsFromJson("""[{"host":"*.op.test","since":2027}]"""))
    }

    @Test
    fun whatBreaksARuleIsNamed() {
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
