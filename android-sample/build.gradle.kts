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
        // Versions are raised on purpose, not when a newer one appears. Nothing is backed up, since nothing is kept.
        disable += setOf("AndroidGradlePluginVersion", "GradleDependency", "NewerVersionAvailable", "OldTargetApi", "DataExtractionRules")
    }

    // The tests run on the JVM by pom.xml, with the host's native library.
    sourceSets["test"].kotlin.setSrcDirs(emptyList<String>())
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
