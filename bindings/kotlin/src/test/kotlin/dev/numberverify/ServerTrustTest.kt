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
 * Valid and invalid certificates for both backend and operator, through Android's
 * `X509TrustManagerExtensions` over Conscrypt, Android's own trust manager. It does not check host
 * names here; the core does.
 */
class ServerTrustTest {
    private val authority = Authority("trusted")
    private val trust = AndroidServerTrust { X509TrustManagerExtensions(trusting(authority.root.certificate)) }

    private val cases =
        mapOf(
            "valid" to authority.issue(HOST),
            "expired" to authority.issue(HOST, validity = Authority.PAST),
            "not valid yet" to authority.issue(HOST, validity = Authority.FUTURE),
            "wrong host" to authority.issue("other.test"),
            "for clients" to authority.issue(HOST, purpose = KeyPurposeId.id_kp_clientAuth),
            "for signing certificates" to authority.issue(HOST, usage = KeyUsage(KeyUsage.keyCertSign)),
            "untrusted root" to Authority("another authority").issue(HOST),
            "self-signed" to Authority.selfSigned(HOST),
            "wrong key" to Identity(authority.issue(HOST).certificate, authority.issue(HOST).key),
        )

    @Test
    fun invalidOperatorCertificateIsRejected() {
        for ((case, identity) in cases) {
            ScriptedServer(identity) { ScriptedServer.status(404) }.use { server ->
                val verifier =
                    NumberVerifier(Loopback(), OneUrl("https://$HOST:${server.port}/"), "https://unused.test", trust) { reach(server) }
                val error =
                    assertFailsWith<VerifyException.Authorization>(case) { verifier.use { runBlocking { it.verify(Simulator.NUMBER) } } }
                assertEquals(if (case == "valid") AuthorizationCause.HTTP_STATUS else AuthorizationCause.TLS, error.reason, case)
                assertEquals(if (case == "valid") 1 else 0, server.requests.get(), case)
                if (case != "valid") assertEquals(Fallback.USE_ANOTHER_CHANNEL, error.fallback, case)
            }
        }
    }

    @Test
    fun invalidBackendCertificateIsRejected() {
        for ((case, identity) in cases) {
            ScriptedServer(identity) { ScriptedServer.status(404) }.use { server ->
                val verifier = NumberVerifier(Loopback(), "https://$HOST:${server.port}", trust) { reach(server) }
                val error = assertFailsWith<VerifyException.Backend>(case) { verifier.use { runBlocking { it.verify(Simulator.NUMBER) } } }
                assertEquals(if (case == "valid") BackendCause.STATUS else BackendCause.TLS, error.reason, case)
                assertEquals(if (case == "valid") 1 else 0, server.requests.get(), case)
                if (case != "valid") assertEquals(Fallback.FIX_INTEGRATION, error.fallback, case)
            }
        }
    }

    @Test
    fun throwingServerTrustRejectsEveryServer() {
        val broken = AndroidServerTrust { error("no trust store") }
        ScriptedServer(cases.getValue("valid")) { ScriptedServer.status(404) }.use { server ->
            val verifier = NumberVerifier(Loopback(), "https://$HOST:${server.port}", broken) { reach(server) }
            val error = assertFailsWith<VerifyException.Backend> { verifier.use { runBlocking { it.verify(Simulator.NUMBER) } } }
            assertEquals(BackendCause.TLS, error.reason)
            assertEquals(0, server.requests.get())
        }
    }

    /**
     * As in Android 16 (API 36), in which certificate transparency may use the OCSP response for
     * SCTs that the certificate lacks.
     */
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
    fun ocspResponseDecidesIfThePlatformAcceptsIt() {
        val trusted = cases.getValue("valid").certificate.encoded
        val untrusted = cases.getValue("untrusted root").certificate.encoded
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

        // Without a response, or if the trust manager lacks this method, the other method decides.
        val missing = { throw IllegalArgumentException("missing") }
        for ((chain, isTrusted) in listOf(trusted to true, untrusted to false)) {
            assertEquals(isTrusted, check(chain, null) { error("not called") }.first.getOrThrow())
            assertEquals(isTrusted, check(chain, ocspResponse, missing).first.getOrThrow())
            assertEquals(isTrusted, trust.checkServerTrusted(listOf(chain), HOST, ocspResponse), "before Android 16")
        }
    }

    /**
     * Android's trust manager tries every order that matches by name, which takes minutes for 15
     * certificates: the core limits the chain.
     */
    @Test
    fun chainWithManyPossibleOrdersIsRejectedInTime() {
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
            assertEquals(begun.get(), ended.get(), "a thread is still running in Android's trust manager")
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
