package dev.numberverify.sample.check

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import java.io.File
import java.io.IOException

/**
 * Runs the check, also while the screen is rotated or in the background. Writes the report after
 * each step, for `scripts/device-check`.
 */
class CheckSession(
    private val platform: AndroidCheckPlatform,
    val check: DeviceCheck,
    folder: File,
) {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Main.immediate)
    private val file = File(folder, FILE)

    /** Renamed when it is complete. */
    private val written = File(folder, "$FILE.new")

    init {
        // A report of an earlier check must not look like this one's.
        file.delete()
        scope.launch { check.run() }
        scope.launch {
            check.state.collect {
                val report = check.report.toJson()
                withContext(Dispatchers.IO) {
                    written.writeText(report)
                    if (!written.renameTo(file)) throw IOException("$file cannot be written")
                }
            }
        }
    }

    /** Called when the screen is closed. */
    fun close() {
        scope.cancel()
        platform.close()
    }

    companion object {
        const val FILE = "device-check.json"
    }
}
