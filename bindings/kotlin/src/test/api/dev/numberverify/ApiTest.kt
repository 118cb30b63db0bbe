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

/** The public API is the one that is written down, so that it changes only where somebody means it. */
class ApiTest {
    @OptIn(ExperimentalPathApi::class)
    @Test
    fun thePublicApiIsAsWrittenDown() {
        val classes =
            Path.of(System.getProperty("classes")).walk().filter {
                it.extension == "class" &&
                    !MACHINERY.containsMatchIn(it.nameWithoutExtension)
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
        assertEquals(file.readText(), dump, "meant? scripts/test-kotlin api")
    }

    private companion object {
        /** What uniffi's Kotlin has public because it knows no other, and the core under the hand-written names: nobody's to use. */
        val MACHINERY =
            Regex("^(FfiConverter|Uniffi|Core|RustBuffer|InternalException|Disposable|NoHandle)|^[A-Za-z]+(Interface|Impl)(\\$|$)")
    }
}
