package dev.numberverify.sample

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.net.Uri
import android.os.Build
import android.provider.Settings

/** Starts activities of the system. */
object Intents {
    /** Opens the system's share sheet with a text. */
    fun share(
        activity: Activity,
        text: String,
    ) {
        val send = Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, text)
        activity.startActivity(Intent.createChooser(send, null))
    }

    /**
     * Opens the settings for mobile data: those of this app under Data Saver, otherwise those of
     * the phone.
     */
    fun openNetworkSettings(
        activity: Activity,
        blockedInBackground: Boolean,
    ) {
        val settings =
            when {
                blockedInBackground ->
                    Intent(
                        Settings.ACTION_IGNORE_BACKGROUND_DATA_RESTRICTIONS_SETTINGS,
                        Uri.fromParts("package", activity.packageName, null),
                    )
                Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q -> Intent(Settings.Panel.ACTION_INTERNET_CONNECTIVITY)
                else -> Intent(Settings.ACTION_DATA_ROAMING_SETTINGS)
            }
        try {
            activity.startActivity(settings)
        } catch (failure: RuntimeException) {
            if (failure !is ActivityNotFoundException && failure !is SecurityException) throw failure
            // Some manufacturers remove these screens or do not let apps open them; this one always
            // exists.
            activity.startActivity(Intent(Settings.ACTION_SETTINGS))
        }
    }
}
