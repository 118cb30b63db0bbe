package dev.numberverify.sample

import android.content.Context
import android.content.Intent
import android.content.pm.ApplicationInfo

/**
 * Settings for debuggable builds only: verification over any network, and against a simulator with
 * its root certificate and addresses. A release build ignores them regardless of the intent, which
 * another app may have sent.
 */
class Development private constructor(
    intent: Intent,
) {
    /** The initial backend. */
    val backend: String? = intent.getStringExtra(BACKEND)

    /** Whether the switch is initially on. */
    val anyNetwork: Boolean = intent.getBooleanExtra(ANY_NETWORK, false)

    /** An additional root certificate, in PEM form. */
    val rootCertificate: String? = intent.getStringExtra(ROOT_CERTIFICATE)

    /** Fixed addresses, each `HOST:PORT:ADDRESS`. */
    val resolve: List<String> = intent.getStringArrayExtra(RESOLVE).orEmpty().toList()

    /**
     * After how many milliseconds a verification is reported as slow; `null` for the library's
     * default.
     */
    val slowAfterMs: Long? = if (intent.hasExtra(SLOW_AFTER_MS)) intent.getLongExtra(SLOW_AFTER_MS, 0) else null

    /** The initial phone number. */
    val phoneNumber: String? = intent.getStringExtra(PHONE_NUMBER)

    /** The simulator's URL that returns the source addresses of requests, for the device check. */
    val observed: String? = intent.getStringExtra(OBSERVED)

    /** Another URL that returns the source address of a request, as text or JSON. */
    val echo: String? = intent.getStringExtra(ECHO) ?: observed

    /** A host name in public DNS, for the device check. */
    val dnsHost: String? = intent.getStringExtra(DNS_HOST)

    /** Whether a person follows the instructions of the device check. */
    val isAttended: Boolean = intent.getBooleanExtra(ATTENDED, true)

    companion object {
        const val BACKEND = "backend"
        const val ANY_NETWORK = "any_network"
        const val ROOT_CERTIFICATE = "root_certificate"
        const val RESOLVE = "resolve"
        const val SLOW_AFTER_MS = "slow_after_ms"
        const val PHONE_NUMBER = "phone_number"
        const val OBSERVED = "observed"
        const val DNS_HOST = "dns_host"
        const val ECHO = "echo"
        const val ATTENDED = "attended"

        /** Returns `null` in a build that is not debuggable. */
        fun of(
            context: Context,
            intent: Intent,
        ): Development? {
            val isDebuggable = context.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0
            return if (isDebuggable) Development(intent) else null
        }

        /**
         * Starts the device check with these settings, and with the others of the intent of the
         * first screen. By name: its code is not in a release build. Without the selected SIM: the
         * check uses the one for mobile data, which a step changes.
         */
        fun checkIntent(
            context: Context,
            first: Intent,
            settings: Settings,
            phoneNumber: String,
        ): Intent =
            Intent()
                .setClassName(context, "dev.numberverify.sample.check.CheckActivity")
                .putExtras(first)
                .putExtra(BACKEND, settings.backend)
                .putExtra(ANY_NETWORK, settings.anyNetwork)
                .putExtra(PHONE_NUMBER, phoneNumber)
    }
}
