// swift-tools-version: 6.0
//
// An app that depends on the package. `scripts/test-consumers swift` copies it out of the repository,
// and replaces DEPENDENCY by the package's path, and then by the URL of a repository with a version.

import PackageDescription

let package = Package(
  name: "Consumer",
  platforms: [.iOS(.v15), .macOS(.v12)],
  dependencies: [DEPENDENCY],
  targets: [
    .executableTarget(name: "App", dependencies: [.product(name: "NumberVerify", package: "number-verify")])
  ]
)
