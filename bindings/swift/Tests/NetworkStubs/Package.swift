// swift-tools-version: 6.0
//
// Compiles the package's sources for Apple platforms on Linux, with a stub module `Network` that
// has the symbols of Network.framework that the package uses and that tests can control. Verifies
// that the code for Apple platforms compiles in Swift 6 mode, and its behavior; not that
// Network.framework behaves like the stubs.

import PackageDescription

let package = Package(
  name: "number-verify-network-stubs",
  products: [.library(name: "NumberVerify", targets: ["NumberVerify"])],
  targets: [
    .target(name: "Network", path: "Network"),
    .systemLibrary(name: "NumberVerifyFFI"),
    .target(
      name: "NumberVerifyCore",
      dependencies: ["NumberVerifyFFI"],
      swiftSettings: [.swiftLanguageMode(.v5)],
      linkerSettings: [.linkedLibrary("number_verify")]
    ),
    .target(name: "NumberVerify", dependencies: ["NumberVerifyCore", "Network"], exclude: ["PrivacyInfo.xcprivacy"]),
    .target(name: "NumberVerifyTesting", dependencies: ["NumberVerify"]),
    .testTarget(name: "AppleTests", dependencies: ["NumberVerify", "Network"], path: "Tests"),
  ]
)
