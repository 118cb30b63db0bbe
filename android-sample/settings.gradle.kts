// The sample app. Needs the Android SDK and, for the library, what its own build needs. Not run in this repository's CI: see pom.xml.
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
    // One build loads each plugin once, so both have the same versions.
    versionCatalogs {
        create("libs") { from(files("../bindings/kotlin/gradle/libs.versions.toml")) }
    }
}

rootProject.name = "android-sample"

// The library as it is in this repository, in place of the published one.
includeBuild("../bindings/kotlin")
