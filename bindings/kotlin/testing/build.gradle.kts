// The fake verifier for an app's own tests. pom.xml compiles and tests the same sources on the JVM,
// in explicit API mode.

import com.android.build.api.variant.HostTestBuilder
import org.jetbrains.kotlin.gradle.dsl.JvmTarget
import org.jetbrains.kotlin.gradle.dsl.KotlinVersion

plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.android)
    `maven-publish`
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
    publishing {
        singleVariant("release") { withSourcesJar() }
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

publishing {
    publications {
        register<MavenPublication>("release") {
            artifactId = "number-verify-testing"
            afterEvaluate { from(components["release"]) }
            pom {
                name = "number-verify-testing"
                description = "A fake of number-verify for an app's own tests"
                licenses {
                    license { name = "MIT" }
                    license { name = "Apache-2.0" }
                }
            }
        }
    }
}
