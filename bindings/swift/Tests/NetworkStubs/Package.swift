// swift-tools-version: 6.0
//
// The package as an Apple system compiles it, on Linux: with a module `Network` that has the symbols of Network.framework which the package
// uses, and that a test can drive. The sources are the package's own. Shows that the code for Apple systems compiles in Swift 6 mode, and how
// it behaves; not that Network.framework behaves as the stubs do.

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
