package dev.numberverify.sample.check

import android.app.ActivityManager
import android.app.ActivityManager.RunningAppProcessInfo
import android.content.Context
import android.os.Build
import android.telephony.SubscriptionManager
import android.telephony.TelephonyManager
import dev.numberverify.AuthorizationStart
import dev.numberverify.Backend
import dev.numberverify.CompletionRequest
import dev.numberverify.NumberVerifier
import dev.numberverify.Progress
import dev.numberverify.StartRequest
import dev.numberverify.Step
import dev.numberverify.Trace
import dev.numberverify.VerifyException
import dev.numberverify.sample.Development
import dev.numberverify.sample.Settings
import dev.numberverify.sample.Verifiers
import dev.numberverify.sample.apply
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import org.json.JSONObject
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes

/** The library and the platform's own clients on this phone. */
class AndroidCheckPlatform(
    private val context: Context,
    private val development: Development,
    private val settings: Settings,
    private val phoneNumber: String,
) : CheckPlatform {
    private val verifiers = Verifiers(context, development)
    private val networks = AndroidNetworks(context)
    private val client = AddressClient(development.echo, development.observed)

    override val device: Map<String, String>
        get() {
            // The sample is built with the library of the same version.
            val version = context.packageManager.getPackageInfo(context.packageName, 0).versionName
            return facts(
                "platform" to "android",
                "model" to "${Build.MANUFACTURER} ${Build.MODEL}",
                "os" to "Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT})",
                "operator" to operator(),
                "app" to version,
                "library" to version,
            )
        }

    override suspend fun networks(): PhoneNetworks =
        try {
            networks.current(verifiers.with(settings).check())
        } catch (failure: VerifyException) {
            networks.current(null).copy(status = outcome(failure))
        }

    override suspend fun verify(whileHeld: suspend () -> Unit): Run =
        coroutineScope {
            var held: Job? = null
            val run =
                runOf {
                    lateinit var trace: Trace
                    verifiers.with(settings).verifying(phoneNumber).collect { progress ->
                        if (progress is Progress.StepEnded && progress.step == Step.ACQUIRE) held = launch { whileHeld() }
                        if (progress is Progress.Done) trace = progress.verification.trace
                    }
                    trace
                }
            held?.cancel()
            run
        }

    override suspend fun prepare(): String? =
        try {
            verifiers.with(settings).prepare()
            null
        } catch (failure: VerifyException) {
            outcome(failure)
        }

    override suspend fun open(host: String): Run =
        runOf {
            val backend = PublicHost("https://$host/")
            withContext(Dispatchers.Default) {
                NumberVerifier(context, backend, settings.backend) { apply(settings, this@AndroidCheckPlatform.development) }
            }.use { it.verify(phoneNumber).trace }
        }

    override suspend fun defaultAddress(): String? = client.defaultAddress()

    override suspend fun libraryAddresses(correlator: String): LibraryAddresses? = client.libraryAddresses(correlator)

    override suspend fun awaitForeground(isForeground: Boolean): Boolean =
        withTimeoutOrNull(1.minutes) {
            while (isInForeground() != isForeground) delay(POLL_INTERVAL)
            true
        } ?: false

    fun close() = verifiers.close()

    private suspend fun runOf(verification: suspend () -> Trace): Run =
        try {
            Run.of(JSONObject(verification().toJson()))
        } catch (failure: VerifyException) {
            failure.trace?.let { Run.of(JSONObject(it.toJson())) } ?: Run(outcome(failure))
        }

    private fun outcome(failure: VerifyException) =
        if (failure is VerifyException.CellularUnavailable) {
            "cellular_unavailable/${failure.reason.name.lowercase()}"
        } else {
            failure.message.orEmpty()
        }

    /** MCC and MNC of the SIM for mobile data. */
    private fun operator(): String? {
        val default = context.getSystemService(TelephonyManager::class.java) ?: return null
        val id = SubscriptionManager.getDefaultDataSubscriptionId()
        val telephony = if (id == SubscriptionManager.INVALID_SUBSCRIPTION_ID) default else default.createForSubscriptionId(id)
        return telephony.simOperator?.takeIf { it.length > MCC_LENGTH }?.let { "${it.take(MCC_LENGTH)}-${it.drop(MCC_LENGTH)}" }
    }

    private fun isInForeground(): Boolean {
        val process = RunningAppProcessInfo().also(ActivityManager::getMyMemoryState)
        return process.importance <= RunningAppProcessInfo.IMPORTANCE_FOREGROUND_SERVICE
    }

    /** A backend whose auth URL is a public host, which ends the verification with its page. */
    private class PublicHost(
        private val url: String,
    ) : Backend {
        override suspend fun start(request: StartRequest) = AuthorizationStart(url, "https://device-check.invalid/done")

        override suspend fun complete(request: CompletionRequest) = """{"verified":false}"""
    }

    private companion object {
        const val MCC_LENGTH = 3
        val POLL_INTERVAL = 500.milliseconds
    }
}
