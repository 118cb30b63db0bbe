package dev.numberverify.sample

import android.content.Context
import dev.numberverify.NumberVerifier
import dev.numberverify.VerifyException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext

/**
 * Keeps one [NumberVerifier], since its verifications share the network. Other settings need another one: an app whose backend never
 * changes has no need of this class. For the main thread only.
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
     * The verifier with these settings. Making one loads the native library, which is not for the main thread, and is not cut off half-way.
     *
     * @throws VerifyException.InvalidConfig where a setting cannot work.
     */
    suspend fun with(settings: Settings): NumberVerifier =
        mutex.withLock {
            val verifier = verifier?.takeIf { this.settings == settings } ?: replace(settings)
            currentCoroutineContext().ensureActive()
            verifier
        }

    fun close() {
        isClosed = true
        verifier?.close()
    }

    private suspend fun replace(settings: Settings): NumberVerifier {
        verifier?.close()
        verifier = null
        val made = withContext(NonCancellable + Dispatchers.Default) { make(settings) }
        if (isClosed) made.close()
        verifier = made
        this.settings = settings
        return made
    }

    private fun make(settings: Settings): NumberVerifier =
        NumberVerifier(app, settings.backend) {
            subscriptionId = settings.subscriptionId
            if (this@Verifiers.development == null) return@NumberVerifier
            development.anyNetwork = settings.anyNetwork
            development.rootCertificates = listOfNotNull(this@Verifiers.development.rootCertificate)
            development.resolve = this@Verifiers.development.resolve
            this@Verifiers.development.slowAfterMs?.let { slowAfterMs = it }
        }
}

/** What a person can set on the screen, but for the number. */
data class Settings(
    val backend: String,
    val anyNetwork: Boolean,
    /** The SIM to verify with; `null` for the one that is set for mobile data. */
    val subscriptionId: Int?,
)
