// The fake verifier for an app's own tests. pom.xml compiles and tests the same sources on the JVM,
// in explicit API mode.

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

group = rootProject.group
version = rootProject.version

android {
    namespace = "dev.numberverify.testing"
    compileSdk = 36

    defaultConfig {
        minSdk = 24
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

kotlin {
    // As in the library.
    coreLibrariesVersion = "2.2.21"
    compilerOptions {
        jvmTarget = JvmTarget.JVM_17
        languageVersion = KotlinVersion.KOTLIN_2_2
        apiVersion = KotlinVersion.KOTLIN_2_2
    }
}

dependencies {
    api(project(":"))
}

androidComponents {
    beforeVariants {
        // `make test-kotlin` runs the tests.
        it.hostTests[HostTestBuilder.UNIT_TEST_TYPE]?.enable = false
    }
}

dokka {
    moduleName = "number-verify-testing"
    dokkaSourceSets.configureEach { suppress = name != "main" }
}

val javadocJar by tasks.registering(Jar::class) {
    archiveClassifier = "javadoc"
    from(tasks.named("dokkaGeneratePublicationHtml"))
}

// As in the library.
mavenPublishing {
    configure(AndroidSingleVariantLibrary("release", sourcesJar = true, publishJavadocJar = false))
    publishToMavenCentral()
    if (providers.gradleProperty("signingInMemoryKey").isPresent) signAllPublications()
    coordinates(artifactId = "number-verify-testing")
    pom {
        name = "number-verify-testing"
        description = "A fake of number-verify for an app's own tests"
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
