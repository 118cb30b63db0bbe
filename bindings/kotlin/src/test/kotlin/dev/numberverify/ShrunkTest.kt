package dev.numberverify

import android.content.Context
import com.android.tools.r8.ArchiveClassFileProvider
import com.android.tools.r8.ClassFileResourceProvider
import com.android.tools.r8.CompilationFailedException
import com.android.tools.r8.CompilationMode
import com.android.tools.r8.Diagnostic
import com.android.tools.r8.DiagnosticsHandler
import com.android.tools.r8.JdkClassFileProvider
import com.android.tools.r8.OutputMode
import com.android.tools.r8.ProgramResource
import com.android.tools.r8.R8
import com.android.tools.r8.R8Command
import com.android.tools.r8.origin.Origin
import com.sun.jna.Native
import com.sun.jna.Platform
import dev.numberverify.testsupport.Simulator
import kotlinx.coroutines.Job
import org.jetbrains.annotations.NotNull
import org.junit.Rule
import org.junit.rules.TemporaryFolder
import java.io.File
import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.TimeUnit
import kotlin.io.path.createParentDirectories
import kotlin.io.path.toPath
import kotlin.io.path.walk
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertNotEquals

/**
 * An app's release build: R8 in full mode, with only the rules that the library ships, on a small
 * app and its dependencies.
 */
class ShrunkTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val rules = File("consumer-rules.pro").readLines().filter { it.startsWith("-") }

    @Test
    fun `a shrunk app verifies a number`() =
        Simulator().use { simulator ->
            assertEquals(RUNS, outcome(rules, simulator))
        }

    @Test
    fun `every rule is required`() =
        Simulator().use { simulator ->
            for (rule in rules) {
                assertNotEquals(RUNS, outcome(rules - rule, simulator), "The app runs without $rule")
            }
        }

    /** Returns the app's output, or why it could not be built. */
    private fun outcome(
        rules: List<String>,
        simulator: Simulator,
    ): String {
        val app = folder.newFile("app-${rules.hashCode()}.jar").toPath()
        try {
            shrink(rules, app)
        } catch (failure: CompilationFailedException) {
            return "R8: ${failure.cause}"
        }
        return run(app, simulator)
    }

    private fun shrink(
        rules: List<String>,
        app: Path,
    ) {
        val program = listOf(NumberVerifier::class, Unit::class, Job::class, Native::class, NotNull::class).map { codeOf(it.java) }
        val command =
            R8Command
                .builder(Quiet)
                .setMode(CompilationMode.RELEASE)
                .addLibraryResourceProvider(OnPhone(ArchiveClassFileProvider(codeOf(Context::class.java))))
                .addLibraryResourceProvider(OnPhone(JdkClassFileProvider.fromSystemJdk()))
                .addProguardConfiguration(rules + "-keep class app.AppKt { void main(java.lang.String[]); }", Origin.unknown())
                .setOutput(app, OutputMode.ClassFile)
        val (folders, jars) = program.partition { it.toFile().isDirectory }
        folders.forEach { command.addProgramFiles(classesIn(it)) }
        command.addProgramFiles(jars).addProgramFiles(classesIn(codeOf(ShrunkTest::class.java).resolve("app")))
        R8.run(command.build())
    }

    private fun run(
        app: Path,
        simulator: Simulator,
    ): String {
        val jna = jnaLibrary()
        val rootFile = folder.newFile().apply { writeText(simulator.root) }
        val command =
            listOf("${System.getProperty("java.home")}/bin/java", "-cp", "$app") +
                listOf("-Djna.boot.library.path=${jna.parent}", "-Djna.nosys=true") +
                "-Djna.library.path=${System.getProperty("jna.library.path")}" +
                listOf("app.AppKt", simulator.backend(), "$rootFile") + simulator.hosts
        val output = folder.newFile()
        val process = ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output).start()
        if (!process.waitFor(HANG_LIMIT_S, TimeUnit.SECONDS)) {
            process.destroyForcibly()
            return "hangs"
        }
        return output.readText()
    }

    /** Apps take it from JNA's AAR. */
    private fun jnaLibrary(): Path {
        val library = folder.root.toPath().resolve("jni/libjnidispatch.so")
        if (!library.toFile().exists()) {
            val resource = "/com/sun/jna/${Platform.RESOURCE_PREFIX}/libjnidispatch.so"
            library.createParentDirectories()
            Native::class.java.getResourceAsStream(resource)!!.use { Files.copy(it, library) }
        }
        return library
    }

    private fun codeOf(someClass: Class<*>): Path =
        someClass.protectionDomain.codeSource.location
            .toURI()
            .toPath()

    private fun classesIn(folder: Path): List<Path> = folder.walk().filter { "$it".endsWith(".class") }.toList()

    private companion object {
        const val HANG_LIMIT_S = 120L
        val RUNS =
            """
            ready: true
            steps: [START, ACQUIRE, AUTHORIZE, COMPLETE]
            verified: true
            fallback: FIX_INTEGRATION
            """.trimIndent() + "\n"
    }
}

/**
 * The public packages of Android and Java on a phone: without AWT and Swing, and without all other
 * packages, which R8 would read each time.
 */
private class OnPhone(
    private val all: ClassFileResourceProvider,
) : ClassFileResourceProvider {
    override fun getClassDescriptors(): Set<String> = all.classDescriptors.filterTo(mutableSetOf(), ::isOnPhone)

    override fun getProgramResource(descriptor: String): ProgramResource? =
        if (isOnPhone(descriptor)) all.getProgramResource(descriptor) else null

    private fun isOnPhone(descriptor: String) =
        listOf("Landroid/", "Ljava/", "Ljavax/", "Ljdk/internal/", "Lsun/").any(descriptor::startsWith) &&
            listOf("Ljava/awt/", "Ljavax/swing/", "Lsun/awt/", "Lsun/java2d/").none(descriptor::startsWith)
}

/** Suppresses diagnostics that do not fail R8: duplicates in the jars' metadata. */
private object Quiet : DiagnosticsHandler {
    override fun warning(warning: Diagnostic) = Unit

    override fun error(error: Diagnostic) = Unit
}
