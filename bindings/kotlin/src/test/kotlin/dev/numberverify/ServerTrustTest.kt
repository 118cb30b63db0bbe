package dev.numberverify

import android.net.http.X509TrustManagerExtensions
import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.bouncycastle.asn1.x509.KeyPurposeId
import org.bouncycastle.asn1.x509.KeyUsage
import org.conscrypt.Conscrypt
import org.junit.Test
import java.security.KeyStore
import java.security.cert.CertificateException
import java.security.cert.X509Certificate
import java.util.concurrent.atomic.AtomicInteger
import javax.net.ssl.TrustManagerFactory
import javax.net.ssl.X509TrustManager
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertNull
import kotlin.test.assertTrue

/**
 * Good and bad certificates on both legs, through Android's own `X509TrustManagerExtensions` over Conscrypt, which is Android's own
 * trust manager. It does not check host names here; the core does.
 */
class ServerTrustTest {
    private val authority = Authority("trusted")
    private val trust = AndroidServerTrust { X509TrustManagerExtensions(trusting(authority.root.certificate)) }

    private val rows =
        mapOf(
            "good" to authority.issue(HOST),
            "expired" to authority.issue(HOST, validity = Authority.PAST),
            "not valid yet" to authority.issue(HOST, validity = Authority.FUTURE),
            "wrong host" to authority.issue("other.test"),
            "for clients" to authority.issue(HOST, purpose = KeyPurposeId.id_kp_clientAuth),
            "for signing certificates" to authority.issue(HOST, usage = KeyUsage(KeyUsage.keyCertSign)),
            "untrusted root" to Authority("somebody else").issue(HOST),
            "self-signed" to Authority.selfSigned(HOST),
            "another's key" to Identity(authority.issue(HOST).certificate, authority.issue(HOST).key),
        )

    @Test
    fun onTheOperatorsSide() {
        for ((row, identity) in rows) {
            ScriptedServer(identity) { ScriptedServer.status(404) }.use { server ->
                val verifier =
                    NumberVerifier(Loopback(), OneUrl("https://$HOST:${server.port}/"), "https://unused.test", trust) { reach(server) }
                val error =
                    assertFailsWith<VerifyException.Authorization>(row) { verifier.use { runBlocking { it.verify(Simulator.NUMBER) } } }
                assertEquals(if (row == "good") AuthorizationCause.HTTP_STATUS else AuthorizationCause.TLS, error.reason, row)
                assertEquals(if (row == "good") 1 else 0, server.requests.get(), row)
                if (row != "good") assertEquals(Fallback.USE_ANOTHER_CHANNEL, error.fallback, row)
            }
        }
    }

    @Test
    fun onTheBackendsSide() {
        for ((row, identity) in rows) {
            ScriptedServer(identity) { ScriptedServer.status(404) }.use { server ->
                val verifier = NumberVerifier(Loopback(), "https://$HOST:${server.port}", trust) { reach(server) }
                val error = assertFailsWith<VerifyException.Backend>(row) { verifier.use { runBlocking { it.verify(Simulator.NUMBER) } } }
                assertEquals(if (row == "good") BackendCause.STATUS else BackendCause.TLS, error.reason, row)
                assertEquals(if (row == "good") 1 else 0, server.requests.get(), row)
                if (row != "good") assertEquals(Fallback.FIX_INTEGRATION, error.fallback, row)
            }
        }
    }

    @Test
    fun aTrustThatThrowsSomethingElseTrustsNobody() {
        val broken = AndroidServerTrust { error("no trust store") }
        ScriptedServer(rows.getValue("good")) { ScriptedServer.status(404) }.use { server ->
            val verifier = NumberVerifier(Loopback(), "https://$HOST:${server.port}", broken) { reach(server) }
            val error = assertFailsWith<VerifyException.Backend> { verifier.use { runBlocking { it.verify(Simulator.NUMBER) } } }
            assertEquals(BackendCause.TLS, error.reason)
            assertEquals(0, server.requests.get())
        }
    }

    /** As Android 16 (API 36) has it, where certificate transparency may take the OCSP response for what the certificate lacks. */
    private class Android16(
        trustManager: X509TrustManager,
        private val outcome: () -> List<X509Certificate>,
    ) : X509TrustManagerExtensions(trustManager) {
        val ocspResponses = mutableListOf<ByteArray?>()

        @Suppress("unused")
        fun checkServerTrusted(
            chain: Array<X509Certificate>,
            ocspResponse: ByteArray?,
            tlsSctData: ByteArray?,
            authType: String,
            host: String,
        ): List<X509Certificate> {
            assertEquals(listOf(HOST, "UNKNOWN"), listOf(host, authType))
            assertNull(tlsSctData)
            ocspResponses += ocspResponse
            return outcome().ifEmpty { chain.toList() }
        }
    }

    @Test
    fun theOcspResponseDecidesWhereThePlatformTakesIt() {
        val trusted = rows.getValue("good").certificate.encoded
        val untrusted = rows.getValue("untrusted root").certificate.encoded
        val ocspResponse = byteArrayOf(1, 2, 3)

        fun check(
            chain: ByteArray,
            ocspResponse: ByteArray?,
            outcome: () -> List<X509Certificate>,
        ): Pair<Result<Boolean>, List<ByteArray?>> {
            val platform = Android16(trusting(authority.root.certificate), outcome)
            val trust = AndroidServerTrust { platform }
            return runCatching { trust.checkServerTrusted(listOf(chain), HOST, ocspResponse) } to platform.ocspResponses
        }
        val accepts = { emptyList<X509Certificate>() }
        val (accepted, seen) = check(trusted, ocspResponse, accepts)
        assertTrue(accepted.getOrThrow())
        assertContentEquals(ocspResponse, seen.single())
        assertEquals(false, check(trusted, ocspResponse) { throw CertificateException("not enough SCTs") }.first.getOrThrow())
        assertTrue(check(trusted, ocspResponse) { error("no trust store") }.first.isFailure)

        // Without a response the other call decides, and so it does where the trust manager lacks this one.
        val missing = { throw IllegalArgumentException("missing") }
        for ((chain, isTrusted) in listOf(trusted to true, untrusted to false)) {
            assertEquals(isTrusted, check(chain, null) { error("not called") }.first.getOrThrow())
            assertEquals(isTrusted, check(chain, ocspResponse, missing).first.getOrThrow())
            assertEquals(isTrusted, trust.checkServerTrusted(listOf(chain), HOST, ocspResponse), "before Android 16")
        }
    }

    /** Android's trust manager tries every order that fits by name, which takes minutes for 15 certificates: the core bounds the chain. */
    @Test
    fun aChainWithManyPossibleOrdersIsRejectedInTime() {
        ScriptedServer(Authority.ambiguous(HOST, others = 14)) { ScriptedServer.status(404) }.use { server ->
            val (begun, ended) = List(2) { AtomicInteger() }
            val counting =
                object : ServerTrust {
                    override fun checkServerTrusted(
                        chain: List<ByteArray>,
                        host: String,
                        ocspResponse: ByteArray?,
                    ): Boolean {
                        begun.incrementAndGet()
                        return trust.checkServerTrusted(chain, host, ocspResponse).also { ended.incrementAndGet() }
                    }
                }

            fun rejected(verifier: NumberVerifier) =
                runBlocking { withTimeout(Loopback.HANGS_S * 1000) { runCatching { verifier.use { it.verify(Simulator.NUMBER) } } } }

            val operator =
                rejected(
                    NumberVerifier(Loopback(), OneUrl("https://$HOST:${server.port}/"), "https://unused.test", counting) { reach(server) },
                )
            assertEquals(AuthorizationCause.TLS, assertIs<VerifyException.Authorization>(operator.exceptionOrNull()).reason)
            val backend = rejected(NumberVerifier(Loopback(), "https://$HOST:${server.port}", counting) { reach(server) })
            assertEquals(BackendCause.TLS, assertIs<VerifyException.Backend>(backend.exceptionOrNull()).reason)
            assertEquals(0, server.requests.get())
            assertTrue(begun.get() > 0)
            assertEquals(begun.get(), ended.get(), "a thread is still in Android's trust manager")
        }
    }

    private fun NumberVerifierConfig.reach(server: ScriptedServer) {
        useGenerousDeadlines()
        development.anyNetwork = true
        development.resolve += "$HOST:${server.port}:127.0.0.1"
    }

    private companion object {
        const val HOST = "op.test"

        fun trusting(root: X509Certificate): X509TrustManager {
            val store = KeyStore.getInstance("PKCS12").apply { load(null, null) }
            store.setCertificateEntry("root", root)
            val factory = TrustManagerFactory.getInstance("PKIX", Conscrypt.newProvider()).apply { init(store) }
            return factory.trustManagers.filterIsInstance<X509TrustManager>().first()
        }
    }
}
