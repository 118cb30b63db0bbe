package dev.numberverify

import org.bouncycastle.asn1.x500.X500Name
import org.bouncycastle.asn1.x509.BasicConstraints
import org.bouncycastle.asn1.x509.ExtendedKeyUsage
import org.bouncycastle.asn1.x509.Extension
import org.bouncycastle.asn1.x509.GeneralName
import org.bouncycastle.asn1.x509.GeneralNames
import org.bouncycastle.asn1.x509.KeyPurposeId
import org.bouncycastle.asn1.x509.KeyUsage
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder
import java.math.BigInteger
import java.security.KeyPair
import java.security.KeyPairGenerator
import java.security.KeyStore
import java.security.cert.X509Certificate
import java.time.Duration
import java.time.Instant
import java.util.Base64
import java.util.Date
import java.util.concurrent.atomic.AtomicLong
import javax.net.ssl.KeyManagerFactory
import javax.net.ssl.SSLContext

/** A certificate and its key. */
class Identity(
    val certificate: X509Certificate,
    val key: KeyPair,
    /** The certificates that a server presents in addition to its own. */
    private val additional: List<X509Certificate> = emptyList(),
) {
    val pem: String get() = "-----BEGIN CERTIFICATE-----\n${Base64.getMimeEncoder().encodeToString(
        certificate.encoded,
    )}\n-----END CERTIFICATE-----\n"

    /** Returns the TLS context of a server that presents this certificate. */
    fun context(): SSLContext {
        val store = KeyStore.getInstance("PKCS12").apply { load(null, null) }
        store.setKeyEntry("server", key.private, charArrayOf(), (listOf(certificate) + additional).toTypedArray())
        val keys = KeyManagerFactory.getInstance("PKIX").apply { init(store, charArrayOf()) }
        return SSLContext.getInstance("TLS").apply { init(keys.keyManagers, null, null) }
    }
}

/** A certificate authority. */
class Authority(
    name: String,
) {
    private val subject = X500Name("CN=$name")
    private val key = generateKey()

    /** Its root certificate. */
    val root: Identity =
        Identity(
            certify(subject, key, subject, key, LONG) {
                addExtension(Extension.basicConstraints, true, BasicConstraints(true))
                addExtension(Extension.keyUsage, true, KeyUsage(KeyUsage.keyCertSign or KeyUsage.cRLSign))
            },
            key,
        )

    /** Issues a server certificate; the defaults are valid. */
    fun issue(
        host: String,
        validity: ClosedRange<Instant> = LONG,
        usage: KeyUsage? = KeyUsage(KeyUsage.digitalSignature),
        purpose: KeyPurposeId = KeyPurposeId.id_kp_serverAuth,
    ): Identity {
        val serverKey = generateKey()
        val certificate = certify(subject, key, X500Name("CN=$host"), serverKey, validity) { forServer(host, usage, purpose) }
        return Identity(certificate, serverKey)
    }

    companion object {
        private val serials = AtomicLong(1)
        private val LONG = Instant.now().minus(Duration.ofDays(1))..Instant.now().plus(Duration.ofDays(30))

        /** A validity period in the past. */
        val PAST: ClosedRange<Instant> = Instant.parse("2020-01-01T00:00:00Z")..Instant.parse("2021-01-01T00:00:00Z")

        /** A validity period in the future. */
        val FUTURE: ClosedRange<Instant> = Instant.parse("2090-01-01T00:00:00Z")..Instant.parse("2091-01-01T00:00:00Z")

        /** Returns a self-signed server certificate. */
        fun selfSigned(host: String): Identity {
            val serverKey = generateKey()
            val subject = X500Name("CN=$host")
            return Identity(
                certify(subject, serverKey, subject, serverKey, LONG) {
                    forServer(host, KeyUsage(KeyUsage.digitalSignature), KeyPurposeId.id_kp_serverAuth)
                },
                serverKey,
            )
        }

        /**
         * Returns a server certificate with untrusted issuer certificates, with two names that
         * issue each other: many chain orders match by name.
         */
        fun ambiguous(
            host: String,
            others: Int,
        ): Identity {
            val names = listOf(X500Name("CN=one"), X500Name("CN=other"))
            val (serverKey, issuersKey) = generateKey() to generateKey()
            val issuers =
                List(others) {
                    certify(names[(it + 1) % 2], issuersKey, names[it % 2], generateKey(), LONG) {
                        addExtension(Extension.basicConstraints, true, BasicConstraints(true))
                    }
                }
            val certificate =
                certify(names.first(), issuersKey, X500Name("CN=$host"), serverKey, LONG) {
                    forServer(host, KeyUsage(KeyUsage.digitalSignature), KeyPurposeId.id_kp_serverAuth)
                }
            return Identity(certificate, serverKey, issuers)
        }

        private fun generateKey() = KeyPairGenerator.getInstance("EC").apply { initialize(256) }.generateKeyPair()

        private fun JcaX509v3CertificateBuilder.forServer(
            host: String,
            usage: KeyUsage?,
            purpose: KeyPurposeId,
        ) {
            addExtension(Extension.subjectAlternativeName, false, GeneralNames(GeneralName(GeneralName.dNSName, host)))
            addExtension(Extension.extendedKeyUsage, false, ExtendedKeyUsage(purpose))
            usage?.let { addExtension(Extension.keyUsage, true, it) }
        }

        private fun certify(
            issuer: X500Name,
            issuerKey: KeyPair,
            subject: X500Name,
            key: KeyPair,
            validity: ClosedRange<Instant>,
            extend: JcaX509v3CertificateBuilder.() -> Unit,
        ): X509Certificate {
            val serial = BigInteger.valueOf(serials.getAndIncrement())
            val (from, to) = Date.from(validity.start) to Date.from(validity.endInclusive)
            val builder = JcaX509v3CertificateBuilder(issuer, serial, from, to, subject, key.public).apply(extend)
            val signer = JcaContentSignerBuilder("SHA256withECDSA").build(issuerKey.private)
            return JcaX509CertificateConverter().getCertificate(builder.build(signer))
        }
    }
}
