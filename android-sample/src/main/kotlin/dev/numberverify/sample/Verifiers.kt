package dev.numberverify.sample

import android.content.Context
import dev.numberverify.NumberVerifier
import dev.numberverify.NumberVerifierConfig
import dev.numberverify.VerifyException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext

/**
 * Holds one [NumberVerifier], because its verifications share the network. Different settings
 * require a new one: an app with a fixed backend does not need this class. Main thread only.
 */
class Verifiers(
    context: Context,
    private val development: Development?,
) {
    private val app = context.applicationContext
    private val mutex = Mutex()
    private var verifier: NumberVerifier? = null
    private var settings: Settings? = null
    private var isClosed = false

    /**
     * Returns the verifier with these settings. Creating it loads the native library, so it runs
     * off the main thread and is not cancelled midway.
     *
     * @throws VerifyException.InvalidConfig if a setting is invalid.
     */
    suspend fun with(settings: Settings): NumberVerifier =
        mutex.withLock {
            val verifier = verifier?.takeIf { this.settings == settings } ?: replace(settings)
            currentCoroutineContext().ensureActive()
            verifier
        }

    /** Releases the network; the next call of [with] creates a new verifier. */
    fun release() {
        verifier?.close()
        verifier = null
        settings = null
    }

    fun close() {
        isClosed = true
        verifier?.close()
    }

    private suspend fun replace(settings: Settings): NumberVerifier {
        verifier?.close()
        verifier = null
        val created = withContext(NonCancellable + Dispatchers.Default) { create(settings) }
        if (isClosed) created.close()
        verifier = created
        this.settings = settings
        return created
    }

    private fun create(settings: Settings): NumberVerifier =
        NumberVerifier(app, settings.backend) {
            apply(settings, this@Verifiers.development)
        }
}

/** Applies the settings on the screen, and in a debug build those of the intent. */
fun NumberVerifierConfig.apply(
    settings: Settings,
    ofIntent: Development?,
) {
    subscriptionId = settings.subscriptionId
    if (ofIntent == null) return
    development.anyNetwork = settings.anyNetwork
    development.rootCertificates = listOfNotNull(ofIntent.rootCertificate)
    development.resolve = ofIntent.resolve
    ofIntent.slowAfterMs?.let { slowAfterMs = it }
}

/** The settings on the screen, except for the number. */
data class Settings(
    val backend: String,
    val anyNetwork: Boolean,
    /** The SIM to verify with; `null` for the SIM for mobile data. */
    val subscriptionId: Int?,
)
