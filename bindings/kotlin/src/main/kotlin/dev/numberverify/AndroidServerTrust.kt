package dev.numberverify

import android.net.http.X509TrustManagerExtensions
import java.io.ByteArrayInputStream
import java.lang.reflect.InvocationTargetException
import java.security.KeyStore
import java.security.cert.CertificateException
import java.security.cert.CertificateFactory
import java.security.cert.X509Certificate
import javax.net.ssl.TrustManagerFactory
import javax.net.ssl.X509TrustManager

/**
 * Validates server certificates with Android's trust manager, so that the app's Network Security
 * Config applies: its custom roots, pins and debug overrides.
 *
 * The core checks the host name and the possession of the private key: Android does not check them
 * here.
 */
public class AndroidServerTrust internal constructor(
    platform: () -> X509TrustManagerExtensions,
) : ServerTrust {
    private val platform by lazy(platform)

    /** Trusts the certificates that the app trusts. */
    public constructor() : this({ X509TrustManagerExtensions(platformTrustManager()) })

    /**
     * Returns `true` if the app trusts the chain, `false` if Android rejects it. Throws if Android
     * could not validate it.
     */
    override fun checkServerTrusted(
        chain: List<ByteArray>,
        host: String,
        ocspResponse: ByteArray?,
    ): Boolean =
        try {
            val certificates = chain.map(::certificate)
            validate(certificates.toTypedArray(), host, ocspResponse)
            certificates.first().maySign()
        } catch (_: CertificateException) {
            false
        }

    /** Throws a [CertificateException] if the chain is not trusted. */
    private fun validate(
        chain: Array<X509Certificate>,
        host: String,
        ocspResponse: ByteArray?,
    ) {
        val validated = ocspResponse != null && validateWithOcsp(chain, host, ocspResponse)
        if (!validated) platform.checkServerTrusted(chain, ANY_KEY_EXCHANGE, host)
    }

    /**
     * Returns `false` if the trust manager does not accept an OCSP response: before Android 16 (API
     * 36), and if the system component that is updated separately lacks this method. Uses
     * reflection because JDK 17, which runs this library's tests, cannot read Android 16's classes.
     */
    private fun validateWithOcsp(
        chain: Array<X509Certificate>,
        host: String,
        ocspResponse: ByteArray,
    ): Boolean {
        val bytes = ByteArray::class.java
        val text = String::class.java
        try {
            platform.javaClass
                .getMethod("checkServerTrusted", chain.javaClass, bytes, bytes, text, text)
                .invoke(platform, chain, ocspResponse, null, ANY_KEY_EXCHANGE, host)
        } catch (_: NoSuchMethodException) {
            return false
        } catch (thrown: InvocationTargetException) {
            if (thrown.targetException is IllegalArgumentException) return false
            throw thrown.targetException
        }
        return true
    }

    private fun certificate(der: ByteArray) =
        CertificateFactory.getInstance("X.509").generateCertificate(ByteArrayInputStream(der)) as X509Certificate

    /**
     * The server signs in every key exchange that the core supports, so the certificate must allow
     * signing (RFC 8446, section 4.4.2.2). Android checks this in its own TLS stack, which is not
     * used here.
     */
    private fun X509Certificate.maySign() = keyUsage?.get(DIGITAL_SIGNATURE) ?: true

    private companion object {
        /** The value for TLS 1.3, in which the certificate does not depend on the key exchange. */
        private const val ANY_KEY_EXCHANGE = "UNKNOWN"

        /** The index of `digitalSignature` in [X509Certificate.getKeyUsage]. */
        private const val DIGITAL_SIGNATURE = 0

        fun platformTrustManager(): X509TrustManager {
            val factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm())
            factory.init(null as KeyStore?)
            return factory.trustManagers.filterIsInstance<X509TrustManager>().first()
        }
    }
}
