package dev.numberverify

import kotlinx.coroutines.runBlocking
import org.bouncycastle.asn1.x509.KeyPurposeId
import org.bouncycastle.asn1.x509.KeyUsage
import org.conscrypt.Conscrypt
import org.junit.Test
import java.security.KeyStore
import java.security.cert.X509Certificate
import javax.net.ssl.TrustManagerFactory
import javax.net.ssl.X509TrustManager
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith

/**
 * Good and bad certificates on both legs, through Android's own `X509TrustManagerExtensions` over Conscrypt, which is Android's own
 * trust manager. It does not check host names here; the core does.
 */
class ServerTrustTest {
    private val authority = Authority("trusted")
    private val trust = AndroidServerTrust { trusting(authority.root.certificate) }

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

    private fun NumberVerifierConfig.reach(server: ScriptedServer) {
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
