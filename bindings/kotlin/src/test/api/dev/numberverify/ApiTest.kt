package dev.numberverify

import kotlinx.validation.api.dump
import kotlinx.validation.api.filterOutNonPublic
import kotlinx.validation.api.loadApiFromJvmClasses
import org.junit.Test
import java.nio.file.Path
import kotlin.io.path.ExperimentalPathApi
import kotlin.io.path.createParentDirectories
import kotlin.io.path.extension
import kotlin.io.path.inputStream
import kotlin.io.path.nameWithoutExtension
import kotlin.io.path.readText
import kotlin.io.path.walk
import kotlin.io.path.writeText
import kotlin.test.assertEquals

/** Compares the public API with the dump, so that it changes only deliberately. */
class ApiTest {
    @OptIn(ExperimentalPathApi::class)
    @Test
    fun publicApiMatchesTheDump() {
        val classes =
            Path.of(System.getProperty("classes")).walk().filter {
                it.extension == "class" &&
                    !INTERNAL.containsMatchIn(it.nameWithoutExtension)
            }
        val api =
            classes
                .sorted()
                .map(Path::inputStream)
                .loadApiFromJvmClasses()
                .filterOutNonPublic()
        val dump = api.dump(StringBuilder()).toString()
        val file = Path.of(System.getProperty("api"))
        if (System.getProperty("api.write").toBoolean()) file.createParentDirectories().writeText(dump)
        assertEquals(file.readText(), dump, "the public API changed; to accept: scripts/test-kotlin api")
    }

    private companion object {
        /**
         * Excluded from the API: uniffi's code that is public only for technical reasons, and the
         * core below the hand-written API.
         */
        val INTERNAL =
            Regex("^(FfiConverter|Uniffi|Core|RustBuffer|InternalException|Disposable|NoHandle)|^[A-Za-z]+(Interface|Impl)(\\$|$)")
    }
}
