package dev.numberverify.sample

import android.Manifest
import android.app.Activity
import android.app.AlertDialog
import android.content.pm.PackageManager
import android.os.Bundle
import android.telephony.SubscriptionManager
import android.view.inputmethod.InputMethodManager
import android.widget.ScrollView
import kotlinx.coroutines.Job
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch

/**
 * The app's first screen. Verifications and retrievals run in a [VerifySession], which the platform
 * retains across rotation (`onRetainNonConfigurationInstance`) and which ends with the screen. So
 * nothing outlives the visible screen, and no static field is needed.
 */
class VerifyActivity : Activity() {
    private val sims = DataSims(this)
    private lateinit var session: VerifySession
    private lateinit var screen: VerifyScreen
    private var isPermissionDenied = false
    private var showing: Job? = null
    private val scope = MainScope()

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        val development = Development.of(this, intent)
        session = lastNonConfigurationInstance as VerifySession? ?: VerifySession(this, development)
        setContentView(R.layout.activity_verify)
        val root = findViewById<ScrollView>(R.id.screen)
        root.keepClearOfBars()
        screen =
            VerifyScreen(
                root,
                development,
                onVerify = ::verify,
                onRetrieve = ::retrieve,
                onCancel = session::cancel,
                onShare = {
                    session.state.value.report
                        ?.let { Intents.share(this, it) }
                },
                onAction = ::act,
                onSettings = { session.prepare(screen.settings) },
                onRequestPermission = { requestPermissions(arrayOf(Manifest.permission.READ_PHONE_STATE), 0) },
                onCheck = ::check,
            )
        screen.sims.subscriptionId = savedInstanceState?.getInt(SUBSCRIPTION_ID, NONE).takeIf { it != NONE }
    }

    override fun onStart() {
        super.onStart()
        showing =
            scope.launch {
                launch { session.state.collect(screen::show) }
                launch { session.cellular.collect(screen::show) }
            }
    }

    /**
     * Not in onStart: after a rotation, the text of the fields is restored later. The user may have
     * changed the SIMs or the permission.
     */
    override fun onResume() {
        super.onResume()
        screen.sims.show(sims.list(), canRequestPermission = sims.needPermission && !isPermissionDenied)
        session.prepare(screen.settings)
    }

    /**
     * Hides the button after a denial: after the second one, the system shows no dialog, and the
     * button would have no effect.
     */
    override fun onRequestPermissionsResult(
        requestCode: Int,
        permissions: Array<String>,
        grantResults: IntArray,
    ) {
        super.onRequestPermissionsResult(requestCode, permissions, grantResults)
        isPermissionDenied = PackageManager.PERMISSION_DENIED in grantResults
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        outState.putInt(SUBSCRIPTION_ID, screen.sims.subscriptionId ?: NONE)
    }

    override fun onStop() {
        showing?.cancel()
        super.onStop()
    }

    @Deprecated("Replaced by ViewModel; this app uses only the platform.")
    override fun onRetainNonConfigurationInstance(): Any = session

    override fun onDestroy() {
        scope.cancel()
        if (!isChangingConfigurations) session.close()
        super.onDestroy()
    }

    private fun verify() {
        hideKeyboard()
        session.verify(screen.settings, screen.phoneNumber)
    }

    private fun retrieve() {
        hideKeyboard()
        session.retrieve(screen.settings)
    }

    private fun check() {
        session.release()
        startActivity(Development.checkIntent(this, intent, screen.settings, screen.phoneNumber))
    }

    private fun hideKeyboard() = getSystemService(InputMethodManager::class.java).hideSoftInputFromWindow(window.decorView.windowToken, 0)

    private fun act(action: OutcomeCard.Action) {
        val failed = session.state.value as? UiState.Failed
        when (action) {
            OutcomeCard.Action.TRY_AGAIN -> if (failed?.purpose == Purpose.RETRIEVE) retrieve() else verify()
            OutcomeCard.Action.OPEN_NETWORK_SETTINGS ->
                Intents.openNetworkSettings(this, failed?.problem?.blockedInBackground == true)
            OutcomeCard.Action.SHARE_REPORT -> failed?.let { Intents.share(this, it.problem.report) }
            OutcomeCard.Action.USE_SMS ->
                AlertDialog
                    .Builder(this)
                    .setTitle(R.string.use_sms)
                    .setMessage(R.string.use_sms_what)
                    .setPositiveButton(android.R.string.ok, null)
                    .show()
        }
    }

    private companion object {
        const val SUBSCRIPTION_ID = "subscription_id"
        const val NONE = SubscriptionManager.INVALID_SUBSCRIPTION_ID
    }
}
