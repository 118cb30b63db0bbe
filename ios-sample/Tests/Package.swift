// swift-tools-version: 6.0
//
// Compiles the sample app's sources on Linux, in Swift 6 mode, with the real library and stubs of
// the SwiftUI, UIKit and Combine symbols that they use. Verifies that the sources compile against
// those signatures, and the behavior of the model; not the appearance of the screen.
// `scripts/test-ios-sample` runs it.

import PackageDescription

let package = Package(
  name: "ios-sample-tests",
  dependencies: [.package(path: "../../bindings/swift/Tests/NetworkStubs")],
  targets: [
    .target(name: "Combine", path: "Stubs/Combine"),
    .target(name: "UIKit", path: "Stubs/UIKit"),
    .target(name: "SwiftUI", dependencies: ["Combine", "UIKit"], path: "Stubs/SwiftUI"),
    .executableTarget(
      name: "NumberVerifySample",
      dependencies: ["SwiftUI", .product(name: "NumberVerify", package: "NetworkStubs")],
      exclude: ["Assets.xcassets", "PrivacyInfo.xcprivacy"]
    ),
    .testTarget(name: "SampleTests", dependencies: ["NumberVerifySample"], path: "Tests"),
  ]
)
