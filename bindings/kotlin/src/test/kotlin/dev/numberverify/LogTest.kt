package dev.numberverify

import dev.numberverify.testsupport.Simulator
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.util.concurrent.TimeUnit
import kotlin.test.assertContains
import kotlin.test.assertFalse
import kotlin.test.assertTrue

/**
 * The system log, here stderr, of an app that logs everything. The app runs in a separate process.
 */
class LogTest {
    @get:Rule
    val folder = TemporaryFolder()

    @Test
    fun retrievedNumberIsNotLogged() =
        Simulator().use { simulator ->
            val start = """{"authUrl":"${simulator.authUrl(state = "canary-state")}","session":"canary-session"}"""
            val result = """{"phoneNumber":"$NUMBER","token":"canary-token"}"""
            ScriptedServer { ScriptedServer.status(200, if (it == "/start") start else result, "application/json") }.use { backend ->
                val log = logOfApp("http://127.0.0.1:${backend.port}", simulator)
                assertContains(log, "number retrieved")
                for (secret in listOf("canary", NUMBER.drop(1), NUMBER.drop(2))) assertFalse(secret in log, log)
            }
        }

    private fun logOfApp(
        backend: String,
        simulator: Simulator,
    ): String {
        val root = folder.newFile().apply { writeText(simulator.root) }
        val command =
            listOf("${System.getProperty("java.home")}/bin/java", "-cp", System.getProperty("java.class.path")) +
                listOf("-Djna.library.path=${System.getProperty("jna.library.path")}", LoggingApp::class.java.name)
        val log = folder.newFile()
        val process =
            ProcessBuilder(command + backend + "$root" + simulator.hosts)
                .redirectErrorStream(true)
                .redirectOutput(log)
                .start()
        try {
            assertTrue(process.waitFor(Loopback.HANGS_S, TimeUnit.SECONDS), "the app hangs")
        } finally {
            process.destroyForcibly()
        }
        return log.readText()
    }

    private companion object {
        const val NUMBER = "+14155550123"
    }
}
