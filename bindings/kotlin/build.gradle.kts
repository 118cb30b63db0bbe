// The Android library: the Rust library for four ABIs, the generated Kotlin bindings, and the
// hand-written Kotlin API. pom.xml compiles and tests the same sources on the JVM, in explicit API
// mode (with which the generated code does not comply).

import com.android.build.api.variant.HostTestBuilder
import com.vanniktech.maven.publish.AndroidSingleVariantLibrary
import org.gradle.api.tasks.bundling.Jar
import org.jetbrains.kotlin.gradle.dsl.JvmTarget
import org.jetbrains.kotlin.gradle.dsl.KotlinVersion

plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.android)
    alias(libs.plugins.dokka)
    alias(libs.plugins.maven.publish)
}

group = "dev.numberverify"
version = "0.1.0"

android {
    namespace = "dev.numberverify"
    compileSdk = 36
    ndkVersion = "28.2.13676358"

    defaultConfig {
        minSdk = 24
        consumerProguardFiles("consumer-rules.pro")
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

kotlin {
    // For apps on Kotlin 2.2, whose compiler cannot read the metadata of newer versions.
    coreLibrariesVersion = "2.2.21"
    compilerOptions {
        jvmTarget = JvmTarget.JVM_17
        languageVersion = KotlinVersion.KOTLIN_2_2
        apiVersion = KotlinVersion.KOTLIN_2_2
    }
}

dependencies {
    api(libs.coroutines)
    implementation(variantOf(libs.jna) { artifactType("aar") })
}

/**
 * Builds the Rust library for the Android ABIs. Requires cargo-ndk, the NDK, and rustup's Android
 * targets.
 */
abstract class RustLibraries : DefaultTask() {
    @get:Inject
    abstract val exec: ExecOperations

    @get:InputFiles
    @get:PathSensitive(PathSensitivity.RELATIVE)
    abstract val sources: ConfigurableFileCollection

    @get:Internal
    abstract val repository: DirectoryProperty

    @get:Internal
    abstract val ndk: DirectoryProperty

    @get:OutputDirectory
    abstract val output: DirectoryProperty

    @TaskAction
    fun build() {
        exec.exec {
            workingDir(repository)
            environment("ANDROID_NDK_HOME", ndk.get().asFile.path)
            commandLine("${repository.get().asFile}/scripts/build-android", output.get().asFile.path)
        }
    }
}

/** Generates the Kotlin bindings with uniffi from the library, built for the host. */
abstract class RustBindings : DefaultTask() {
    @get:Inject
    abstract val exec: ExecOperations

    @get:InputFiles
    @get:PathSensitive(PathSensitivity.RELATIVE)
    abstract val sources: ConfigurableFileCollection

    @get:Internal
    abstract val repository: DirectoryProperty

    @get:OutputDirectory
    abstract val output: DirectoryProperty

    /** A copy for the API reference, in which only the public API is public. */
    @get:OutputDirectory
    abstract val documented: DirectoryProperty

    @TaskAction
    fun generate() {
        exec.exec {
            workingDir(repository)
            val folders = listOf(output, documented).map { it.get().asFile.path }
            commandLine(listOf("${repository.get().asFile}/scripts/generate-bindings", "kotlin") + folders)
        }
    }
}

val root = layout.projectDirectory.dir("../..")
val rustSources =
    files(root.dir("src"), root.dir(".cargo"), root.file("Cargo.toml"), root.file("Cargo.lock"), root.file("uniffi.toml"))

val rustLibraries by tasks.registering(RustLibraries::class) {
    sources.from(
        rustSources,
        root.file("scripts/build-android"),
        root.file("scripts/lib.sh"),
        root.file("bindings/kotlin/metadata-symbols"),
    )
    repository = root
    ndk = androidComponents.sdkComponents.ndkDirectory
}

val rustBindings by tasks.registering(RustBindings::class) {
    sources.from(rustSources, root.file("scripts/generate-bindings"), root.file("scripts/lib.sh"), root.file("bindings/uniffi-bindgen.rs"))
    repository = root
    documented = layout.buildDirectory.dir("documented")
}

androidComponents {
    beforeVariants {
        // The tests require the simulator: `make test-kotlin` runs them.
        it.hostTests[HostTestBuilder.UNIT_TEST_TYPE]?.enable = false
    }
    onVariants {
        it.sources.jniLibs?.addGeneratedSourceDirectory(rustLibraries, RustLibraries::output)
        // AGP 8 with the Kotlin plugin compiles sources that are registered as Java
        // (issuetracker.google.com/268248348). AGP 9's built-in Kotlin requires `kotlin`.
        it.sources.java?.addGeneratedSourceDirectory(rustBindings, RustBindings::output)
    }
}

dokka {
    moduleName = "number-verify"
    // Such as a broken link in a doc comment.
    dokkaPublications.configureEach { failOnWarning = true }
    dokkaSourceSets.configureEach {
        // The only one with sources. Most of the API's enums and records are generated.
        suppress = name != "main"
        if (name == "main") sourceRoots.from(rustBindings.flatMap(RustBindings::documented))
        suppressGeneratedFiles = false
    }
}

val javadocJar by tasks.registering(Jar::class) {
    archiveClassifier = "javadoc"
    from(tasks.named("dokkaGeneratePublicationHtml"))
}

// What both artifacts have in common is in gradle.properties.
mavenPublishing {
    // Its javadoc jar would be by the Dokka in the Android plugin.
    configure(AndroidSingleVariantLibrary("release", sourcesJar = true, publishJavadocJar = false))
    publishToMavenCentral()
    // Not required for `publishToMavenLocal`. Maven Central rejects what is not signed.
    if (providers.gradleProperty("signingInMemoryKey").isPresent) signAllPublications()
    coordinates(artifactId = "number-verify")
    pom {
        name = "number-verify"
        description = "Verifies a phone number silently, over the phone's cellular network (CAMARA Number Verification)"
        licenses {
            license {
                name = "MIT"
                url = "https://opensource.org/license/mit"
            }
            license {
                name = "Apache-2.0"
                url = "https://www.apache.org/licenses/LICENSE-2.0.txt"
            }
        }
    }
}

publishing {
    publications.withType<MavenPublication>().configureEach { artifact(javadocJar) }
}
