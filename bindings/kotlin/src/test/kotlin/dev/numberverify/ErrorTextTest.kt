package dev.numberverify

import org.junit.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse

/**
 * Error texts come from the core and are the same in all languages. Kotlin adds its spelling of
 * settings, Android one hint.
 */
class ErrorTextTest {
    @Test
    fun everyMessageIsThatOfTheCore() {
        val errors = settings() + cellular() + backend() + authorization() + others
        for (core in errors) {
            val setting = (core as? CoreException.InvalidConfig)?.setting?.spelling()
            val advice = if (core === permission) HINT else core.advice()
            val error = core.toVerifyException(null)
            assertEquals("${core.message(setting)}: $advice.", error.message)
            assertReadable(error)
        }
    }

    @Test
    fun settingsAreSpelledAsInKotlin() {
        assertEquals("backendUrl", CoreSetting.BACKEND_URL.spelling())
        assertEquals("anyNetwork", CoreSetting.ALLOW_UNBOUND.spelling())
        for (setting in CoreSetting.entries) assertFalse('_' in setting.spelling(), setting.spelling())
    }

    private val permission = CoreException.CellularUnavailable(CellularCause.PERMISSION)

    private fun settings() = CoreSetting.entries.map { CoreException.InvalidConfig(it) }

    private fun cellular() = (CellularCause.entries - CellularCause.PERMISSION).map { CoreException.CellularUnavailable(it) } + permission

    private fun backend() =
        BackendCause.entries.flatMap { reason ->
            listOf<UShort?>(null, 503u).flatMap { status ->
                listOf<UInt?>(null, 60u).flatMap { seconds ->
                    Fallback.entries.map { CoreException.Backend(Step.START, reason, status, seconds, it) }
                }
            }
        }

    private fun authorization() =
        AuthorizationCause.entries.flatMap { reason ->
            listOf<String?>(null, "handshake_failure").map {
                CoreException.Authorization(2u, "op.test", reason, 500u, it, Fallback.RETRY_LATER)
            }
        }

    private val others =
        listOf(
            CoreException.InvalidPhoneNumber(),
            CoreException.DeniedByOperator("access_denied", null, 2u, "op.test"),
            CoreException.DeniedByOperator(null, null, 2u, "op.test"),
            CoreException.StateMismatch(2u, "op.test"),
            CoreException.DeadlineExceeded(Step.AUTHORIZE),
            CoreException.Cancelled(),
            CoreException.Internal(),
        )

    private companion object {
        const val HINT = "declare INTERNET, ACCESS_NETWORK_STATE and CHANGE_NETWORK_STATE in the app's manifest"
    }
}
