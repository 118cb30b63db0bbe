"""Checks of the Xcode project, its assets and the privacy manifests that need no Xcode."""

import hashlib
import json
import os
import pathlib
import plistlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
import zipfile

from pbxproj import XcodeProject

SAMPLE = pathlib.Path(__file__).resolve().parent.parent
ROOT = SAMPLE.parent
APP = SAMPLE / "NumberVerifySample"
UI_TESTS = SAMPLE / "NumberVerifySampleUITests"
ASSETS = APP / "Assets.xcassets"
LIBRARY_MANIFEST = ROOT / "bindings/swift/Sources/NumberVerify/PrivacyInfo.xcprivacy"
PROJECT = SAMPLE / "NumberVerifySample.xcodeproj"

# https://developer.apple.com/documentation/bundleresources/describing-use-of-required-reason-api
REASONS = {
    "NSPrivacyAccessedAPICategoryFileTimestamp": {"DDA9.1", "C617.1", "3B52.1", "0A2A.1"},
    "NSPrivacyAccessedAPICategorySystemBootTime": {"35F9.1", "8FFB.1", "3D61.1"},
    "NSPrivacyAccessedAPICategoryDiskSpace": {"85F4.1", "E174.1", "7D9E.1", "B728.1"},
    "NSPrivacyAccessedAPICategoryActiveKeyboards": {"3EC4.1", "54BD.1"},
    "NSPrivacyAccessedAPICategoryUserDefaults": {"CA92.1", "1C8F.1", "C56D.1", "AC6B.1"},
}


class ProjectTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.project = XcodeProject.load(str(PROJECT / "project.pbxproj"))
        cls.objects = cls.project.objects
        cls.target, cls.ui_tests = cls.objects.get_objects_in_section("PBXNativeTarget")

    def settings(self, owner, configuration):
        (found,) = [
            c
            for c in map(lambda i: self.objects[i], self.objects[owner.buildConfigurationList].buildConfigurations)
            if c.name == configuration
        ]
        return found.buildSettings

    def files_of(self, phase, target=None):
        phases = (target or self.target).buildPhases
        (found,) = [p for p in self.objects.get_objects_in_section(phase) if p.get_id() in phases]
        builds = [self.objects[i] for i in found.files]
        return builds, {self.objects[b.fileRef].path for b in builds if "fileRef" in b}

    def test_every_reference_resolves(self):
        text = (PROJECT / "project.pbxproj").read_text()
        ids = set(re.findall(r"\b4E56[0-9A-F]{20}\b", text))
        self.assertTrue(ids)
        self.assertEqual(ids, set(self.objects.get_keys()))

    def test_target_contains_every_file(self):
        paths = {f.path for f in self.objects.get_objects_in_section("PBXFileReference") if f.sourceTree == "<group>"}
        existing = {p.name for p in APP.iterdir()}
        self.assertEqual(paths, existing | {p.name for p in UI_TESTS.iterdir()})
        _, sources = self.files_of("PBXSourcesBuildPhase")
        _, resources = self.files_of("PBXResourcesBuildPhase")
        self.assertEqual(sources, {p.name for p in APP.glob("*.swift")})
        self.assertEqual(resources, existing - sources)

    def test_ui_tests_are_a_target_that_runs_the_app(self):
        self.assertEqual(self.ui_tests.productType, "com.apple.product-type.bundle.ui-testing")
        _, sources = self.files_of("PBXSourcesBuildPhase", self.ui_tests)
        self.assertEqual(sources, {p.name for p in UI_TESTS.glob("*.swift")})
        (dependency,) = [self.objects[i] for i in self.ui_tests.dependencies]
        self.assertEqual(dependency.target, self.target.get_id())
        proxy = self.objects[dependency.targetProxy]
        self.assertEqual(proxy.remoteGlobalIDString, self.target.get_id())
        (project,) = self.objects.get_objects_in_section("PBXProject")
        self.assertEqual(proxy.containerPortal, project.get_id())
        self.assertEqual(list(project.targets), [self.target.get_id(), self.ui_tests.get_id()])
        for configuration in ("Debug", "Release"):
            settings = self.settings(self.ui_tests, configuration)
            self.assertEqual(settings["TEST_TARGET_NAME"], self.target.name)
            self.assertEqual(settings["GENERATE_INFOPLIST_FILE"], "YES")
            self.assertTrue(settings["PRODUCT_BUNDLE_IDENTIFIER"].startswith("dev.numberverify.sample."))

    def test_versions_are_those_of_the_library(self):
        (version,) = re.findall(r'(?m)^version = "([^"]+)"$', (ROOT / "Cargo.toml").read_text())[:1]
        text = (PROJECT / "project.pbxproj").read_text()
        self.assertEqual(set(re.findall(r"MARKETING_VERSION = ([^;]+);", text)), {version})

    def test_target_is_an_app(self):
        self.assertEqual(self.target.name, "NumberVerifySample")
        self.assertEqual(self.target.productType, "com.apple.product-type.application")
        for configuration in ("Debug", "Release"):
            settings = self.settings(self.target, configuration)
            self.assertEqual(settings["PRODUCT_BUNDLE_IDENTIFIER"], "dev.numberverify.sample")
            self.assertEqual(settings["ASSETCATALOG_COMPILER_APPICON_NAME"], "AppIcon")
            self.assertEqual(settings["ASSETCATALOG_COMPILER_GLOBAL_ACCENT_COLOR_NAME"], "AccentColor")

    def test_package_is_the_local_one(self):
        (reference,) = self.objects.get_objects_in_section("XCLocalSwiftPackageReference")
        self.assertEqual((SAMPLE / reference.relativePath).resolve(), ROOT)
        self.assertTrue((ROOT / "Package.swift").exists())
        (project,) = self.objects.get_objects_in_section("PBXProject")
        self.assertEqual(list(project.packageReferences), [reference.get_id()])
        (product,) = [self.objects[i] for i in self.target.packageProductDependencies]
        self.assertEqual((product.productName, product.package), ("NumberVerify", reference.get_id()))
        self.assertIn('.library(name: "NumberVerify"', (ROOT / "Package.swift").read_text())
        builds, _ = self.files_of("PBXFrameworksBuildPhase")
        self.assertEqual([b.productRef for b in builds], [product.get_id()])

    def test_compiler_settings(self):
        (project,) = self.objects.get_objects_in_section("PBXProject")
        for configuration in ("Debug", "Release"):
            settings = self.settings(project, configuration)
            self.assertEqual(settings["SWIFT_VERSION"], "6.0")
            self.assertEqual(settings["SWIFT_TREAT_WARNINGS_AS_ERRORS"], "YES")
            self.assertEqual(settings["IPHONEOS_DEPLOYMENT_TARGET"], "15.0")
        self.assertIn(".iOS(.v15)", (ROOT / "Package.swift").read_text())
        self.assertIn("DEBUG", self.settings(project, "Debug")["SWIFT_ACTIVE_COMPILATION_CONDITIONS"])
        self.assertNotIn("SWIFT_ACTIVE_COMPILATION_CONDITIONS", self.settings(project, "Release"))

    def test_info_plist(self):
        for configuration in ("Debug", "Release"):
            settings = self.settings(self.target, configuration)
            self.assertEqual(settings["GENERATE_INFOPLIST_FILE"], "YES")
            self.assertEqual(settings["INFOPLIST_KEY_CFBundleDisplayName"], "Number Verify")
            self.assertEqual(settings["INFOPLIST_KEY_UILaunchScreen_Generation"], "YES")
            self.assertEqual(settings["INFOPLIST_KEY_UIApplicationSceneManifest_Generation"], "YES")
            self.assertIn("Landscape", settings["INFOPLIST_KEY_UISupportedInterfaceOrientations_iPhone"])
            keys = " ".join(settings.get_keys())
            self.assertNotIn("NSAppTransportSecurity", keys, "no ATS exception")
            self.assertNotIn("INFOPLIST_FILE =", keys)
            # The library has its own TLS implementation: the publisher of an app must declare it.
            self.assertNotIn("ITSAppUsesNonExemptEncryption", keys)
            # The local network permission is required for the simulator program on a Mac, never for
            # an operator.
            self.assertEqual("NSLocalNetworkUsageDescription" in keys, configuration == "Debug")

    def test_shared_scheme_runs_the_target(self):
        scheme = ElementTree.parse(PROJECT / "xcshareddata/xcschemes/NumberVerifySample.xcscheme")
        tested = {r.get("BlueprintIdentifier") for r in scheme.find("TestAction").iter("BuildableReference")}
        self.assertEqual(tested, {self.ui_tests.get_id()})
        blueprints = {r.get("BlueprintIdentifier") for r in scheme.iter("BuildableReference")}
        self.assertEqual(blueprints - tested, {self.target.get_id()})
        self.assertEqual(scheme.find("ArchiveAction").get("buildConfiguration"), "Release")
        self.assertEqual({v.get("isEnabled") for v in scheme.iter("EnvironmentVariable")}, {"NO"})


class PrivacyManifestTest(unittest.TestCase):
    def test_manifests(self):
        for path in (LIBRARY_MANIFEST, APP / "PrivacyInfo.xcprivacy"):
            with self.subTest(path=path.relative_to(ROOT)):
                manifest = plistlib.loads(path.read_bytes())
                self.assertEqual(
                    set(manifest),
                    {"NSPrivacyTracking", "NSPrivacyTrackingDomains", "NSPrivacyCollectedDataTypes", "NSPrivacyAccessedAPITypes"},
                )
                self.assertIs(manifest["NSPrivacyTracking"], False)
                self.assertEqual(manifest["NSPrivacyTrackingDomains"], [])
                self.assertEqual(
                    manifest["NSPrivacyCollectedDataTypes"],
                    [
                        {
                            "NSPrivacyCollectedDataType": "NSPrivacyCollectedDataTypePhoneNumber",
                            "NSPrivacyCollectedDataTypeLinked": True,
                            "NSPrivacyCollectedDataTypeTracking": False,
                            "NSPrivacyCollectedDataTypePurposes": ["NSPrivacyCollectedDataTypePurposeAppFunctionality"],
                        }
                    ],
                )
                for accessed in manifest["NSPrivacyAccessedAPITypes"]:
                    self.assertEqual(set(accessed), {"NSPrivacyAccessedAPIType", "NSPrivacyAccessedAPITypeReasons"})
                    reasons = accessed["NSPrivacyAccessedAPITypeReasons"]
                    self.assertTrue(reasons)
                    self.assertLessEqual(set(reasons), REASONS[accessed["NSPrivacyAccessedAPIType"]])

    def test_swift_code_uses_no_required_reason_api(self):
        words = r"UserDefaults|AppStorage|systemUptime|mach_absolute_time|activeInputModes|attributesOfItem|\w*stat\(|resourceValues"
        for folder in (APP, LIBRARY_MANIFEST.parent):
            for source in folder.rglob("*.swift"):
                self.assertIsNone(re.search(rf"\b(?:{words})", source.read_text()), source)


class AssetsTest(unittest.TestCase):
    ON_SURFACE = ("OnSurface", "OnSurfaceMuted", "OnSurfaceSuccess", "OnSurfaceFailure", "OnSurfaceCleartext")
    READ_ON = {
        "Background": ("OnBackgroundMuted",),
        "Surface": ON_SURFACE,
        "AccentColor": ("OnAccent",),
        "Success": ("OnSuccess",),
        "Caution": ("OnCaution",),
        "Failure": ("OnFailure",),
    }

    @staticmethod
    def colours(name):
        """Light, dark."""
        found = json.loads((ASSETS / f"{name}.colorset/Contents.json").read_text())["colors"]
        assert [c.get("appearances", [{}])[0].get("value") for c in found] == [None, "dark"], name
        return [[int(c["color"]["components"][part], 16) for part in ("red", "green", "blue")] for c in found]

    @staticmethod
    def luminance(colour):
        linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def test_texts_have_sufficient_contrast(self):
        """At least 4.5:1 (WCAG 2.2, 1.4.3), in light and in dark."""
        for background, texts in self.READ_ON.items():
            for text in texts:
                for below, above in zip(self.colours(background), self.colours(text)):
                    dark, light = sorted([self.luminance(below), self.luminance(above)])
                    self.assertGreaterEqual((light + 0.05) / (dark + 0.05), 4.5, f"{text} on {background}")

    def test_every_referenced_colour_exists(self):
        named = set()
        for source in APP.glob("*.swift"):
            named |= set(re.findall(r'Color\("(\w+)"\)', source.read_text()))
        tones = set(re.findall(r'case \w+ = "(\w+)"', (APP / "OutcomeCard.swift").read_text()))
        named |= tones | {f"On{tone}" for tone in tones} | {"AccentColor"}
        self.assertEqual(named, {p.stem for p in ASSETS.glob("*.colorset")})

    def test_icon_has_its_declared_size_and_no_transparency(self):
        (image,) = json.loads((ASSETS / "AppIcon.appiconset/Contents.json").read_text())["images"]
        header = (ASSETS / "AppIcon.appiconset" / image["filename"]).read_bytes()[:26]
        width, height, _, colour_type = struct.unpack(">IIBB", header[16:26])
        self.assertEqual(f"{width}x{height}", image["size"])
        self.assertEqual(colour_type, 2, "no transparency")


class ReleaseTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_script(self, name, *arguments):
        """In a copy of the repository's files that the script uses."""
        scripts = self.folder / "bindings/swift"
        scripts.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "Package.swift", self.folder)
        shutil.copy(ROOT / "bindings/swift" / name, scripts)
        done = subprocess.run([sys.executable, scripts / name, *arguments], capture_output=True, text=True)
        self.assertEqual(bool(done.returncode), bool(done.stderr), done.stderr)
        return None if done.returncode else done.stdout.strip()

    def archive(self, name="first", **files):
        framework = self.folder / name / "NumberVerifyFFI.xcframework"
        for path, text in {"Info.plist": "<plist/>", "ios/libnumber_verify.a": "library", **files}.items():
            (framework / path).parent.mkdir(parents=True, exist_ok=True)
            (framework / path).write_text(text)
        return self.folder / f"{name}.zip", self.run_script("zip-xcframework", framework, self.folder / f"{name}.zip")

    def test_version_and_checksum_are_written(self):
        archive, checksum = self.archive()
        self.assertEqual(checksum, hashlib.sha256(archive.read_bytes()).hexdigest())
        self.assertIsNotNone(self.run_script("write-release", "12.3.4", archive))
        written = (self.folder / "Package.swift").read_text()
        self.assertIn("/releases/download/12.3.4/NumberVerifyFFI.xcframework.zip", written)
        self.assertIn(f'checksum: "{checksum}"', written)

    def test_equal_frameworks_have_equal_archives(self):
        (first, _), (second, _) = self.archive(), self.archive("second")
        os.utime(self.folder / "second/NumberVerifyFFI.xcframework/Info.plist", (0, 0))
        self.archive("second")
        self.assertEqual(first.read_bytes(), second.read_bytes())
        self.assertEqual(zipfile.ZipFile(first).namelist(), [f"NumberVerifyFFI.xcframework/{name}" for name in ("Info.plist", "ios/libnumber_verify.a")])

    def test_another_file_changes_the_checksum(self):
        self.assertNotEqual(self.archive()[1], self.archive("second", **{"ios/libnumber_verify.a": "other"})[1])

    def test_invalid_arguments_are_rejected(self):
        archive, _ = self.archive()
        for arguments in (("1.2", archive), ("v1.2.3", archive), ("1.2.3", "0" * 64), ("1.2.3", ROOT / "Package.swift"), ("1.2.3",)):
            self.assertIsNone(self.run_script("write-release", *arguments), arguments)
            self.assertEqual((self.folder / "Package.swift").read_text(), (ROOT / "Package.swift").read_text())
        self.assertIsNone(self.run_script("zip-xcframework", self.folder / "absent", self.folder / "absent.zip"))


class TextsTest(unittest.TestCase):
    """The texts equal those of the Android sample, except for platform differences."""

    ANDROID = ROOT / "android-sample/src/main/res/values/strings.xml"
    DIFFERENT = {"openNetworkSettings", "hopDescription", "hopDescriptionCleartext", "stepDescription", "stepDescriptionWithTime", "progress", "milliseconds", "checkFinished", "checkStepDescription"}
    ONLY_ANDROID = {"defaultBackend", "cellularBlocked", "cellularAirplane", "cellularNoSim", "cellularNotDataSim", "cellularPermission"}
    ONLY_ANDROID |= {"sim", "simForData", "simInSlot", "simWhat", "askForSims", "askForSimsWhat"}
    ONLY_IOS = {"cellularSimulator", "openSettings", "ok"}

    def test_texts_equal_those_of_the_android_sample(self):
        if not self.ANDROID.exists():
            self.skipTest("android-sample does not exist")
        camel = lambda name: re.sub(r"_(\w)", lambda m: m.group(1).upper(), name)
        strings = ElementTree.parse(self.ANDROID).iter("string")
        android = {camel(s.get("name")): s.text for s in strings}
        swift = dict(re.findall(r'static let (\w+) =\s+"(.*)"', (APP / "Texts.swift").read_text()))
        expected = {k: v for k, v in android.items() if k not in self.DIFFERENT | self.ONLY_ANDROID}
        self.assertEqual({k: v for k, v in swift.items() if k not in self.ONLY_IOS}, expected)


if __name__ == "__main__":
    unittest.main()
