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

rootProject.name = "number-verify"

// With the artifact's name, by which a build that includes this one finds it.
include(":number-verify-testing")
project(":number-verify-testing").projectDir = rootDir.resolve("testing")
