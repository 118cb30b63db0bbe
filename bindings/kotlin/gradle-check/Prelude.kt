// For scripts/lint-gradle: the declarations of Gradle's Kotlin DSL that no published jar contains.
// Only those that the build scripts use: if they use more, add it here as Gradle declares it. The
// script generates the accessors of the version catalog (`libs`).

package gradlecheck

import com.android.build.api.dsl.ApplicationExtension
import com.android.build.api.dsl.LibraryExtension
import com.android.build.api.variant.ApplicationAndroidComponentsExtension
import com.android.build.api.variant.LibraryAndroidComponentsExtension
import com.vanniktech.maven.publish.MavenPublishBaseExtension
import org.gradle.api.Action
import org.gradle.api.DomainObjectCollection
import org.gradle.api.NamedDomainObjectCollection
import org.gradle.api.Project
import org.gradle.api.Task
import org.gradle.api.artifacts.Dependency
import org.gradle.api.artifacts.ProjectDependency
import org.gradle.api.artifacts.dsl.DependencyHandler
import org.gradle.api.file.FileCollection
import org.gradle.api.initialization.Settings
import org.gradle.api.provider.HasMultipleValues
import org.gradle.api.provider.Property
import org.gradle.api.provider.Provider
import org.gradle.api.publish.PublishingExtension
import org.gradle.api.tasks.TaskContainer
import org.gradle.api.tasks.TaskProvider
import org.gradle.plugin.use.PluginDependenciesSpec
import org.gradle.plugin.use.PluginDependencySpec
import org.jetbrains.dokka.gradle.DokkaExtension
import org.jetbrains.kotlin.gradle.dsl.KotlinAndroidProjectExtension
import kotlin.properties.PropertyDelegateProvider
import kotlin.properties.ReadOnlyProperty
import kotlin.reflect.KClass

// The build scripts' receivers: the plugins of each script add extensions to it.
interface Library : Project

interface Application : Project

// `plugins {}`. Gradle provides it with the version catalog, too.
fun Project.plugins(block: PluginDependenciesSpec.() -> Unit): Unit = TODO("$block")

infix fun PluginDependencySpec.version(version: String?): PluginDependencySpec = version(version)

// The plugins' extensions. In AGP 8, `android` has an older type, which contains this one and what
// AGP 9 has removed.
fun Library.android(configure: Action<LibraryExtension>): Unit = TODO("$configure")

val Library.androidComponents: LibraryAndroidComponentsExtension get() = TODO()

fun Library.androidComponents(configure: Action<LibraryAndroidComponentsExtension>): Unit = TODO("$configure")

fun Library.publishing(configure: Action<PublishingExtension>): Unit = TODO("$configure")

fun Library.dokka(configure: Action<DokkaExtension>): Unit = TODO("$configure")

fun Library.mavenPublishing(configure: Action<MavenPublishBaseExtension>): Unit = TODO("$configure")

fun Application.android(configure: Action<ApplicationExtension>): Unit = TODO("$configure")

fun Application.androidComponents(configure: Action<ApplicationAndroidComponentsExtension>): Unit = TODO("$configure")

fun Project.kotlin(configure: Action<KotlinAndroidProjectExtension>): Unit = TODO("$configure")

// `dependencies {}`, and a function for each configuration.
fun Project.dependencies(configure: DependencyHandler.() -> Unit): Unit = TODO("$configure")

fun DependencyHandler.api(notation: Any): Dependency? = add("api", notation)

fun DependencyHandler.project(
    path: String,
    configuration: String? = null,
): ProjectDependency = TODO("$path $configuration")

fun DependencyHandler.implementation(notation: Any): Dependency? = add("implementation", notation)

fun DependencyHandler.androidTestImplementation(notation: Any): Dependency? = add("androidTestImplementation", notation)

// Containers and tasks.
operator fun <T : Any> NamedDomainObjectCollection<T>.get(name: String): T = getByName(name)

inline fun <reified S : Any> DomainObjectCollection<in S>.withType(): DomainObjectCollection<S> = withType(S::class.java)

fun <T : Task> TaskContainer.registering(
    type: KClass<T>,
    configure: T.() -> Unit,
): PropertyDelegateProvider<Any?, ReadOnlyProperty<Any?, TaskProvider<T>>> =
    PropertyDelegateProvider { _, property ->
        val task = register(property.name, type.java, configure)
        ReadOnlyProperty { _, _ -> task }
    }

// `property = value`: the compiler's assignment plugin calls these.
fun <T> Property<T>.assign(value: T?) = set(value)

fun <T> Property<T>.assign(value: Provider<out T?>) = set(value)

fun <T> HasMultipleValues<T>.assign(elements: Iterable<T?>?) = set(elements)

// settings.gradle.kts.
fun Settings.files(vararg paths: Any): FileCollection = TODO("$paths")
