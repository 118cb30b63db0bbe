// swift-tools-version: 6.0
//
// The benchmark's Swift app, with the library on Linux. `scripts/bench` builds it.

import PackageDescription

let package = Package(
  name: "bench-swift",
  dependencies: [.package(name: "number-verify", path: "../..")],
  targets: [
    .executableTarget(name: "Phone", dependencies: [.product(name: "NumberVerify", package: "number-verify")])
  ]
)
