// swift-tools-version: 6.0
//
// The Swift package. It stands at the root of the repository because SwiftPM looks for it there; its sources are in `bindings/swift`.
//
// The Rust library is `NumberVerifyFFI`. On Apple systems it is an XCFramework: the one of the release, or, before the first release and where
// the environment has NUMBER_VERIFY_LOCAL, the one that `bindings/swift/build-xcframework` has built. SwiftPM keeps what it read from this file
// until its text or the environment changes, so it must not look at anything else, such as whether that XCFramework is there. On Linux, for
// the tests, it is the host's library with the header that `make bindings` generates; `scripts/test-swift` tells the linker where it is.

import PackageDescription

/// Written by the release. All zeros before the first one.
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
    // Generated. The compiler of Swift 6.0 crashes on it in mode 6, and in mode 5 with complete strict concurrency; `scripts/test-swift`
    // type-checks it with that, which passes.
    .target(
      name: "NumberVerifyCore",
      dependencies: ["NumberVerifyFFI"],
      path: "bindings/swift/Sources/NumberVerifyCore",
      swiftSettings: [.swiftLanguageMode(.v5)],
      // What the Rust library calls; on Linux, that library itself.
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
    // For an app's tests.
    .target(
      name: "NumberVerifyTesting",
      dependencies: ["NumberVerify"],
      path: "bindings/swift/Sources/NumberVerifyTesting"
    ),
  ]
)

#if os(Linux)
  package.targets += [
    // They bind sockets to the loopback interface, as Linux does.
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
