import com.android.build.api.variant.HostTestBuilder
import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    id("com.android.application") version libs.versions.agp.get()
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "dev.numberverify.sample"
    compileSdk = 36

    defaultConfig {
        applicationId = "dev.numberverify.sample"
        minSdk = 24
        targetSdk = 36
        versionCode = 1
        versionName = "0.1.0"
    }

    buildTypes {
        release {
            // The library brings its own rules.
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"))
            // A sample goes to no store; so it can be installed as it is.
            signingConfig = signingConfigs.getByName("debug")
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    lint {
        warningsAsErrors = true
        // Versions are raised on purpose, not when a newer one appears.
        disable += setOf("AndroidGradlePluginVersion", "GradleDependency", "NewerVersionAvailable", "OldTargetApi")
        // Nothing is backed up, since nothing is kept.
        disable += "DataExtractionRules"
        // "… milliseconds" is read aloud for any number. An icon beside a text is a view of its own, to be tinted and described.
        disable += setOf("PluralsCandidate", "UseCompoundDrawables")
    }

    // JNA's AAR also has libraries for processors that the NDK gave up with r17.
    packaging {
        jniLibs.excludes += setOf("**/armeabi/**", "**/mips*/**")
    }
}

androidComponents {
    beforeVariants {
        // They want the simulator, and the library for this machine: `make test-android-sample` runs them.
        it.hostTests[HostTestBuilder.UNIT_TEST_TYPE]?.enable = false
    }
}

kotlin {
    compilerOptions {
        jvmTarget = JvmTarget.JVM_17
        allWarningsAsErrors = true
    }
}

dependencies {
    implementation("dev.numberverify:number-verify:0.1.0")
    implementation(libs.coroutines)
}
