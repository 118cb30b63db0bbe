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
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"
    }

    buildTypes {
        release {
            // The library's AAR contains its R8 rules.
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"))
            // Not published: the debug key makes the release build installable.
            signingConfig = signingConfigs.getByName("debug")
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    lint {
        warningsAsErrors = true
        // Versions are updated deliberately, not when a newer one is released.
        disable += setOf("AndroidGradlePluginVersion", "GradleDependency", "NewerVersionAvailable", "OldTargetApi")
        // The app stores no data, so there is nothing to back up.
        disable += "DataExtractionRules"
        // "… milliseconds" is read aloud for any number. An icon next to a text is a separate view,
        // to be tinted and described.
        disable += setOf("PluralsCandidate", "UseCompoundDrawables")
    }

    // JNA's AAR also contains libraries for ABIs that the NDK removed in r17.
    packaging {
        jniLibs.excludes += setOf("**/armeabi/**", "**/mips*/**")
    }
}

androidComponents {
    beforeVariants {
        // They require the simulator and the library for the host: `make test-android-sample` runs
        // them.
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
    androidTestImplementation(libs.test.runner)
}
