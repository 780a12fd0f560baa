// swift-tools-version: 6.0
import PackageDescription

let telescope: Target.Dependency = .product(name: "Telescope", package: "telescope")

let package = Package(
  name: "Benchmarks",
  platforms: [.macOS(.v14)],
  dependencies: [.package(name: "telescope", path: "..")],
  targets: [
    .executableTarget(name: "Benchmarks", dependencies: [telescope]),
    // The agreement of layers' flows with compositions of their halves: see ExperimentA/README.md.
    .target(name: "PairedRoutes", dependencies: [telescope]),
    .executableTarget(name: "ExperimentA", dependencies: ["PairedRoutes", telescope]),
    .testTarget(name: "PairedRoutesTests", dependencies: ["PairedRoutes", telescope]),
  ]
)
