// The sample app. Requires the Android SDK and the requirements of the library's build. Not run in
// this repository's CI: see pom.xml.
pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositoriesMode = RepositoriesMode.FAIL_ON_PROJECT_REPOS
    repositories {
        google()
        mavenCentral()
    }
    // A build loads each plugin once, so both builds use the same versions.
    versionCatalogs {
        create("libs") { from(files("../bindings/kotlin/gradle/libs.versions.toml")) }
    }
}

rootProject.name = "android-sample"

// Uses the library in this repository instead of the published artifact.
includeBuild("../bindings/kotlin")
