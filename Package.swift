// swift-tools-version: 6.0
//
// The Swift package manifest. SwiftPM requires it at the repository root; the sources are in
// `bindings/swift`.
//
// `NumberVerifyFFI` is the Rust library. On Apple platforms it is an XCFramework: that of the
// release, or the one that `bindings/swift/build-xcframework` has built before the first release or
// if the environment contains NUMBER_VERIFY_LOCAL. SwiftPM caches the evaluated manifest until its
// text or the environment changes, so it must not depend on anything else, such as whether that
// XCFramework exists. On Linux, for the tests, it is the host's library with the header that `make
// bindings` generates; `scripts/test-swift` passes its location to the linker.

import PackageDescription

/// Updated by each release. All zeros before the first release.
let released = (
  url: "https://github.com/number-verify/number-verify/releases/download/0.1.0/NumberVerifyFFI.xcframework.zip",
  checksum: "0000000000000000000000000000000000000000000000000000000000000000"
)

#if os(Linux)
  let rustLibrary = Target.systemLibrary(name: "NumberVerifyFFI", path: "bindings/generated/swift/NumberVerifyFFI")
#else
  let isReleased = released.checksum.contains { $0 != "0" }
  let rustLibrary =
    isReleased && Context.environment["NUMBER_VERIFY_LOCAL"] == nil
    ? Target.binaryTarget(name: "NumberVerifyFFI", url: released.url, checksum: released.checksum)
    : Target.binaryTarget(name: "NumberVerifyFFI", path: "bindings/swift/NumberVerifyFFI.xcframework")
#endif

let package = Package(
  name: "number-verify",
  platforms: [.iOS(.v15), .macOS(.v12)],
  products: [
    .library(name: "NumberVerify", targets: ["NumberVerify"]),
    .library(name: "NumberVerifyTesting", targets: ["NumberVerifyTesting"]),
  ],
  targets: [
    rustLibrary,
    // Generated. The Swift 6.0 compiler crashes on it in language mode 6, and in mode 5 with
    // complete strict concurrency; `scripts/test-swift` type-checks it with complete strict
    // concurrency, which passes.
    .target(
      name: "NumberVerifyCore",
      dependencies: ["NumberVerifyFFI"],
      path: "bindings/swift/Sources/NumberVerifyCore",
      swiftSettings: [.swiftLanguageMode(.v5)],
      // The Rust library's dependencies; on Linux, the library itself.
      linkerSettings: [
        .linkedFramework("CoreFoundation", .when(platforms: [.iOS, .macOS])),
        .linkedFramework("Security", .when(platforms: [.iOS, .macOS])),
        .linkedLibrary("number_verify", .when(platforms: [.linux])),
      ]
    ),
    .target(
      name: "NumberVerify",
      dependencies: ["NumberVerifyCore"],
      path: "bindings/swift/Sources/NumberVerify",
      resources: [.copy("PrivacyInfo.xcprivacy")]
    ),
    // For the unit tests of apps.
    .target(
      name: "NumberVerifyTesting",
      dependencies: ["NumberVerify"],
      path: "bindings/swift/Sources/NumberVerifyTesting"
    ),
  ]
)

#if os(Linux)
  package.targets += [
    // Linux only: they bind sockets to the loopback interface by name.
    .testTarget(
      name: "NumberVerifyTests",
      dependencies: ["NumberVerify", "NumberVerifyCore"],
      path: "bindings/swift/Tests/NumberVerifyTests"
    ),
    .testTarget(
      name: "NumberVerifyTestingTests",
      dependencies: ["NumberVerify", "NumberVerifyTesting"],
      path: "bindings/swift/Tests/NumberVerifyTestingTests"
    ),
  ]
#endif
