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
}

rootProject.name = "android-sample"

// The library as it is in this repository, in place of the published one.
includeBuild("../bindings/kotlin")
