package dev.numberverify.sample

import android.os.Build
import android.view.View
import android.view.WindowInsets

/**
 * From Android 15 on, the window extends below the system bars. Before, the platform itself keeps
 * it clear of them.
 */
fun View.keepClearOfBars() {
    if (Build.VERSION.SDK_INT < Build.VERSION_CODES.R) return
    setOnApplyWindowInsetsListener { view, insets ->
        val types = WindowInsets.Type.systemBars() or WindowInsets.Type.displayCutout() or WindowInsets.Type.ime()
        val bars = insets.getInsets(types)
        view.setPadding(bars.left, bars.top, bars.right, bars.bottom)
        WindowInsets.CONSUMED
    }
}
