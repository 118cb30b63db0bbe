package dev.numberverify.sample.check

import android.app.Activity
import android.os.Bundle
import android.widget.ScrollView
import dev.numberverify.sample.Development
import dev.numberverify.sample.Intents
import dev.numberverify.sample.R
import dev.numberverify.sample.Settings
import dev.numberverify.sample.keepClearOfBars
import kotlinx.coroutines.Job
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch

/**
 * "Check this phone": the library and the platform on this phone, step by step, with a report to
 * share. In debug builds only, because it needs the simulator's settings.
 */
class CheckActivity : Activity() {
    private val scope = MainScope()
    private var session: CheckSession? = null
    private var showing: Job? = null
    private lateinit var screen: CheckScreen

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        val development = Development.of(this, intent) ?: return finish()
        val session = lastNonConfigurationInstance as CheckSession? ?: start(development)
        this.session = session
        setContentView(R.layout.activity_check)
        findViewById<ScrollView>(R.id.check_screen).keepClearOfBars()
        screen =
            CheckScreen(
                findViewById(R.id.check_screen),
                onAnswer = session.check::answer,
                onShare = { Intents.share(this, session.check.report.toShare()) },
            )
    }

    private fun start(development: Development): CheckSession {
        val settings = Settings(development.backend ?: getString(R.string.default_backend), development.anyNetwork, null)
        val platform = AndroidCheckPlatform(applicationContext, development, settings, development.phoneNumber.orEmpty())
        return CheckSession(platform, DeviceCheck(platform, development.isAttended, development.dnsHost), filesDir)
    }

    override fun onStart() {
        super.onStart()
        showing = session?.let { scope.launch { it.check.state.collect(screen::show) } }
    }

    override fun onStop() {
        showing?.cancel()
        super.onStop()
    }

    @Deprecated("Replaced by ViewModel; this app uses only the platform.")
    override fun onRetainNonConfigurationInstance(): Any? = session

    override fun onDestroy() {
        scope.cancel()
        if (!isChangingConfigurations) session?.close()
        super.onDestroy()
    }
}
