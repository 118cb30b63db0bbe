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

    companion object {
        const val BACKEND = "backend"
        const val ANY_NETWORK = "any_network"
        const val ROOT_CERTIFICATE = "root_certificate"
        const val RESOLVE = "resolve"
        const val SLOW_AFTER_MS = "slow_after_ms"

        /** Returns `null` in a build that is not debuggable. */
        fun of(
            context: Context,
            intent: Intent,
        ): Development? {
            val isDebuggable = context.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0
            return if (isDebuggable) Development(intent) else null
        }
    }
}
