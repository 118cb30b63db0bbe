"""Plants defects in copies of a staged and signed Maven repository, and verifies that
scripts/check-repository reports exactly these: defects.py REPOSITORY (for
scripts/rehearse-publication, whose key is in $GNUPGHOME).
"""

import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = "dev/numberverify/number-verify"
TESTING = "dev/numberverify/number-verify-testing"


def published(repository, suffix, folder=FOLDER):
    """The file of the only version."""
    return next(file for file in (repository / folder).glob(f"*/*{suffix}"))


def remove(file):
    for part in file.parent.glob(f"{file.name}*"):
        part.unlink()


def seal(file):
    """New checksums and a new signature, so that only the contents are defective."""
    for algorithm in ("md5", "sha1", "sha256", "sha512"):
        file.with_name(f"{file.name}.{algorithm}").write_text(hashlib.new(algorithm, file.read_bytes()).hexdigest())
    subprocess.run(["gpg", "--batch", "--yes", "--quiet", "--armor", "--detach-sign", file], check=True)


def edited(file, pattern, replacement=""):
    text = file.read_text()
    changed = re.sub(pattern, replacement, text, count=1, flags=re.DOTALL)
    assert changed != text, f"{file.name} does not contain {pattern}"
    file.write_text(changed)
    seal(file)


def repacked(file, change):
    """`change` returns the new contents of an entry, or `None` to remove it."""
    with zipfile.ZipFile(file) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    changed = {name: change(name, data) for name, data in entries.items()}
    assert changed != entries, f"{file.name} is unchanged"
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in changed.items():
            if data is not None:
                archive.writestr(name, data)
    seal(file)


def replaced(entry, change):
    return lambda name, data: change(data) if name == entry else data


def without_native_methods(rules):
    return b"".join(line for line in rules.splitlines(keepends=True) if b"native <methods>" not in line)


def corrupted_checksum(repository):
    published(repository, ".aar.sha1").write_text("0" * 40)


def of_another_file(repository):
    shutil.copy(published(repository, "-sources.jar.asc"), published(repository, ".pom.asc"))


# What is planted, and the lines reported.
DEFECTS = {
    "the javadoc jar is missing": (
        lambda it: remove(published(it, "-javadoc.jar")),
        ["number-verify-VERSION: number-verify-VERSION-javadoc.jar is missing"],
    ),
    "the javadoc jar is empty": (
        lambda it: repacked(published(it, "-javadoc.jar"), lambda name, data: None),
        ["number-verify-VERSION: number-verify-VERSION-javadoc.jar is empty"],
    ),
    "the sources are missing": (
        lambda it: remove(published(it, "-sources.jar", TESTING)),
        ["number-verify-testing-VERSION: number-verify-testing-VERSION-sources.jar is missing"],
    ),
    "an ABI is missing": (
        lambda it: repacked(published(it, ".aar"), replaced("jni/x86/libnumber_verify.so", lambda data: None)),
        ["number-verify-VERSION: jni/x86/libnumber_verify.so is missing"],
    ),
    "a library is damaged": (
        lambda it: repacked(published(it, ".aar"), replaced("jni/x86/libnumber_verify.so", lambda data: b"\x7fELF" + data)),
        ["number-verify-VERSION: jni/x86/libnumber_verify.so is not a library"],
    ),
    "an R8 rule is missing": (
        lambda it: repacked(published(it, ".aar"), replaced("proguard.txt", without_native_methods)),
        ["number-verify-VERSION: proguard.txt lacks the R8 rule -keepclasseswithmembernames,includedescriptorclasses class dev.numberverify.** { native <methods>; }"],
    ),
    "scm is missing": (
        lambda it: edited(published(it, ".pom"), r"<scm>.*</scm>"),
        [f"number-verify-VERSION: the POM lacks scm/{part}" for part in ("url", "connection", "developerConnection")],
    ),
    "a checksum is wrong": (
        corrupted_checksum,
        ["number-verify-VERSION: number-verify-VERSION.aar.sha1 is not the checksum of number-verify-VERSION.aar"],
    ),
    "a signature is missing": (
        lambda it: published(it, "-sources.jar.asc").unlink(),
        ["number-verify-VERSION: number-verify-VERSION-sources.jar.asc is missing"],
    ),
    "a signature is of another file": (
        of_another_file,
        [r"number-verify-VERSION: number-verify-VERSION.pom.asc is not a valid signature (gpg: BAD signature from "],
    ),
    "a dependency is a snapshot": (
        lambda it: edited(published(it, ".pom"), r"<version>5\.19\.1</version>", "<version>5.19.1-SNAPSHOT</version>"),
        [
            "number-verify-VERSION: the dependency net.java.dev.jna:jna:5.19.1-SNAPSHOT is not a release",
            "number-verify-VERSION: the POM lacks the dependency net.java.dev.jna:jna:5.19.1@aar (runtime)",
            "number-verify-VERSION: the POM has the dependency net.java.dev.jna:jna:5.19.1-SNAPSHOT@aar (runtime), which the Gradle files do not declare",
        ],
    ),
    "the library of the test artifact is missing": (
        lambda it: shutil.rmtree(it / FOLDER),
        [
            "dev.numberverify:number-verify:VERSION is not staged",
            "number-verify-testing-VERSION: the dependency dev.numberverify:number-verify:VERSION is of the same release, but not staged",
        ],
    ),
    "the test artifact is missing": (
        lambda it: shutil.rmtree(it / TESTING),
        ["dev.numberverify:number-verify-testing:VERSION is not staged"],
    ),
    "a permission is missing": (
        lambda it: repacked(published(it, ".aar"), replaced("AndroidManifest.xml", lambda data: data.replace(b"CHANGE_NETWORK", b"CHANGE_WIFI"))),
        ["number-verify-VERSION: the manifest declares the permissions ["],
    ),
}


def check(*arguments):
    result = subprocess.run([ROOT / "scripts/check-repository", *arguments], check=False, capture_output=True, text=True)
    return result.returncode, result.stdout.splitlines() + result.stderr.splitlines()


def main(repository):
    version = published(repository, ".pom").parent.name
    status, lines = check(repository, "--rehearsal")
    if status:
        sys.exit("the repository has problems before any is planted:\n" + "\n".join(lines))
    failures = []
    for name, (plant, expected) in DEFECTS.items():
        with tempfile.TemporaryDirectory() as temporary:
            copy = pathlib.Path(temporary) / "repository"
            shutil.copytree(repository, copy)
            plant(copy)
            status, lines = check(copy, "--rehearsal")
        expected = [line.replace("VERSION", version) for line in expected]
        if status != 1 or len(lines) != len(expected) or not all(map(str.startswith, lines, expected)):
            failures.append(f"{name}: exit code {status}, and reported is:\n" + "\n".join(lines))
    print(*failures, sep="\n", end="\n" if failures else "")
    print(f"{len(DEFECTS) - len(failures)} of {len(DEFECTS)} planted defects are reported")
    return 1 if failures else 0


sys.exit(main(pathlib.Path(sys.argv[1]).absolute()))
