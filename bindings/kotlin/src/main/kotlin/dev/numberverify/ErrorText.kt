// The core provides the texts of VerifyException. This file adds what is specific to Kotlin and
// Android: the spelling of settings, and one hint.

package dev.numberverify

internal fun CoreException.text(): String {
    val setting = (this as? CoreException.InvalidConfig)?.setting?.spelling()
    return "${message(setting)}: ${androidHint() ?: advice()}."
}

/** The name of the setting in [NumberVerifierConfig], or of the constructor parameter. */
internal fun CoreSetting.spelling(): String =
    when (this) {
        CoreSetting.ALLOW_UNBOUND -> "anyNetwork"
        else -> name.lowercase().replace(Regex("_([a-z])")) { it.groupValues[1].uppercase() }
    }

private fun CoreException.androidHint(): String? =
    "declare INTERNET, ACCESS_NETWORK_STATE and CHANGE_NETWORK_STATE in the app's manifest"
        .takeIf { this is CoreException.CellularUnavailable && reason == CellularCause.PERMISSION }
