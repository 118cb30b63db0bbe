"""What the Gradle files declare about the published Android artifacts. Imported by
scripts/assemble-aar, scripts/check-aar and scripts/check-repository."""

from __future__ import annotations

import hashlib
import pathlib
import re
from typing import NamedTuple
from xml.sax.saxutils import escape

ROOT = pathlib.Path(__file__).resolve().parent.parent
KOTLIN = "bindings/kotlin"
# The folder of each artifact; the first is also the Gradle root.
PROJECTS = [KOTLIN, f"{KOTLIN}/testing"]
# By the name of their folder in an AAR: the ELF machine.
ABIS = {"arm64-v8a": "AArch64", "armeabi-v7a": "ARM", "x86": "Intel 80386", "x86_64": "Advanced Micro Devices X86-64"}
LIBRARY = "libnumber_verify.so"
# In the AAR of a rehearsal: the ABIs whose library is not the one to publish.
MARK = "META-INF/rehearsal"
# In place of a library that was not built.
STAND_IN = b"Not a library: this AAR is of a rehearsal.\n"
AAR_METADATA = "META-INF/com/android/build/gradle/aar-metadata.properties"
CHECKSUMS = ("md5", "sha1", "sha256", "sha512")


class Dependency(NamedTuple):
    group: str
    name: str
    version: str
    scope: str
    type: str = "jar"


class Artifact(NamedTuple):
    group: str
    name: str
    version: str
    folder: pathlib.Path
    namespace: str
    description: str
    licences: list[tuple[str, str]]
    min_sdk: str
    rules: pathlib.Path | None
    has_libraries: bool
    dependencies: list[Dependency]

    def path(self) -> pathlib.PurePosixPath:
        """The folder in a Maven repository."""
        return pathlib.PurePosixPath(*self.group.split("."), self.name, self.version)

    def file(self, suffix: str) -> str:
        return f"{self.name}-{self.version}{suffix}"


def properties() -> dict[str, str]:
    return dict(re.findall(r"(?m)^(POM_\w+)=(.*)$", (ROOT / KOTLIN / "gradle.properties").read_text()))


def artifacts() -> list[Artifact]:
    scripts = [(ROOT / folder / "build.gradle.kts").read_text() for folder in PROJECTS]
    group, version = declared(scripts[0], r'(?m)^group = "(.+)"$'), declared(scripts[0], r'(?m)^version = "(.+)"$')
    found: list[Artifact] = []
    for folder, script in zip(PROJECTS, scripts):
        rules = re.search(r'consumerProguardFiles\("(.+?)"\)', script)
        found.append(
            Artifact(
                group=group,
                name=declared(script, r'coordinates\(artifactId = "(.+?)"\)'),
                version=version,
                folder=ROOT / folder,
                namespace=declared(script, r'namespace = "(.+?)"'),
                description=declared(script, r' description = "(.+?)"'),
                licences=re.findall(r'license \{\s+name = "(.+?)"\s+url = "(.+?)"', script),
                min_sdk=declared(script, r"minSdk = (\d+)"),
                rules=ROOT / folder / rules[1] if rules else None,
                has_libraries="jniLibs" in script,
                dependencies=list(dependencies(script, found)),
            )
        )
    return found


def declared(script: str, pattern: str) -> str:
    found = re.search(pattern, script)
    if not found:
        raise SystemExit(f"no build.gradle.kts matches {pattern}: scripts/publication.py reads the declarations by their form")
    return found[1]


def dependencies(script: str, projects: list[Artifact]):
    """In the order of the script; the Kotlin plugin adds the standard library."""
    catalog = (ROOT / KOTLIN / "gradle/libs.versions.toml").read_text()
    for line in declared(script, r"(?ms)^dependencies \{\n(.*?)^\}").splitlines():
        configuration, of_catalog, aar, project = declaration(line)
        scope = {"api": "compile", "implementation": "runtime"}[configuration]
        if project:
            # The only one: the root.
            yield Dependency(projects[0].group, projects[0].name, projects[0].version, scope)
        else:
            group, name, version = re.search(rf'(?m)^{of_catalog} = \{{ module = "(.+):(.+)", version.ref = "(.+)" \}}$', catalog).groups()
            yield Dependency(group, name, declared(catalog, rf'(?m)^{version} = "(.+)"$'), scope, "aar" if aar else "jar")
    yield Dependency("org.jetbrains.kotlin", "kotlin-stdlib", declared(script, r'coreLibrariesVersion = "(.+)"'), "compile")


def declaration(line: str):
    found = re.fullmatch(r' *(api|implementation)\((?:libs\.(\w+)|variantOf\(libs\.(\w+)\) \{ artifactType\("(aar)"\) \}|project\("(:)"\))\)', line)
    if not found:
        raise SystemExit(f"scripts/publication.py does not know this form of a dependency: {line.strip()}")
    return found[1], found[2] or found[3], found[4], found[5]


def pom(artifact: Artifact) -> str:
    """As the publishing plugin writes it."""
    common = properties()
    dependencies = "".join(
        element(
            "dependency",
            4,
            element("groupId", 6, it.group),
            element("artifactId", 6, it.name),
            element("version", 6, it.version),
            element("scope", 6, it.scope),
            element("type", 6, it.type) if it.type != "jar" else "",
        )
        for it in artifact.dependencies
    )
    licences = "".join(
        element("license", 4, element("name", 6, name), element("url", 6, url)) for name, url in artifact.licences
    )
    developer = "".join(element(name, 6, common[f"POM_DEVELOPER_{name.upper()}"]) for name in ("id", "name", "url"))
    scm = [("connection", "CONNECTION"), ("developerConnection", "DEV_CONNECTION"), ("url", "URL")]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<project xmlns="http://maven.apache.org/POM/4.0.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:schemaLocation="http://maven.apache.org/POM/4.0.0 https://maven.apache.org/xsd/maven-4.0.0.xsd">\n'
        + element("modelVersion", 2, "4.0.0")
        + element("groupId", 2, artifact.group)
        + element("artifactId", 2, artifact.name)
        + element("version", 2, artifact.version)
        + element("packaging", 2, "aar")
        + element("name", 2, artifact.name)
        + element("description", 2, artifact.description)
        + element("url", 2, common["POM_URL"])
        + element("inceptionYear", 2, common["POM_INCEPTION_YEAR"])
        + element("licenses", 2, licences)
        + element("developers", 2, element("developer", 4, developer))
        + element("scm", 2, *(element(name, 4, common[f"POM_SCM_{key}"]) for name, key in scm))
        + element("dependencies", 2, dependencies)
        + "</project>\n"
    )


def element(name: str, indent: int, *content: str) -> str:
    """Text, or elements, each on lines of their own."""
    inner = "".join(content)
    space = " " * indent
    if inner.startswith(" "):
        return f"{space}<{name}>\n{inner}{space}</{name}>\n"
    return f"{space}<{name}>{escape(inner)}</{name}>\n"


def checksum(algorithm: str, file: pathlib.Path) -> str:
    return hashlib.new(algorithm, file.read_bytes()).hexdigest()
