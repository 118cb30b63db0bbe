package dev.numberverify

import android.content.Context
import android.content.pm.ApplicationInfo

/** The system's default network. For development only. */
internal object AnyNetwork : CellularProvider {
    /** Throws [VerifyException.InvalidConfig] if the app is not debuggable. */
    fun ifDebuggable(context: Context): AnyNetwork {
        val isDebuggable = context.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0
        if (!isDebuggable) throw CoreException.InvalidConfig(CoreSetting.ALLOW_UNBOUND).toVerifyException(null)
        return this
    }

    override suspend fun acquire(events: NetworkEvents): NetworkBinding = NetworkBinding.Unbound

    override suspend fun release() = Unit

    override suspend fun status(): CellularStatus = CellularStatus.Ready
}
