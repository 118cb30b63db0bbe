// swift-tools-version: 6.0
//
// The Swift package. It stands at the root of the repository because SwiftPM looks for it there; its sources are in `bindings/swift`.
//
// The Rust library is `NumberVerifyFFI`. On Apple systems it is an XCFramework: the one in `bindings/swift` where somebody has built one,
// else the one of the release. On Linux, for the tests, it is the host's library with the header that `make bindings` generates;
// `scripts/test-swift` tells the linker where it is.

import Foundation
import PackageDescription

/// The release writes these two. Before the first one there is nothing to load: build the XCFramework.
let released = (
  url: "https://github.com/number-verify/number-verify/releases/download/0.1.0/NumberVerifyFFI.xcframework.zip",
  checksum: "0000000000000000000000000000000000000000000000000000000000000000"
)

#if os(Linux)
  let rustLibrary = Target.systemLibrary(name: "NumberVerifyFFI", path: "bindings/generated/swift/NumberVerifyFFI")
#else
  let built = "bindings/swift/NumberVerifyFFI.xcframework"
  let isBuilt = FileManager.default.fileExists(atPath: "\(Context.packageDirectory)/\(built)")
  let rustLibrary =
    isBuilt
    ? Target.binaryTarget(name: "NumberVerifyFFI", path: built)
    : Target.binaryTarget(name: "NumberVerifyFFI", url: released.url, checksum: released.checksum)
#endif

let package = Package(
  name: "number-verify",
  platforms: [.iOS(.v15), .macOS(.v12)],
  products: [.library(name: "NumberVerify", targets: ["NumberVerify"])],
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
  ]
)

#if os(Linux)
  // They bind sockets to the loopback interface, as Linux does.
  package.targets.append(
    .testTarget(
      name: "NumberVerifyTests",
      dependencies: ["NumberVerify", "NumberVerifyCore"],
      path: "bindings/swift/Tests/NumberVerifyTests"
    ))
#endif
