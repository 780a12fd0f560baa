// swift-tools-version: 6.0
import PackageDescription

// libtorch: the folder that holds `include` and `lib`. `Scripts/setup.sh` installs it into `.deps`;
// TELESCOPE_LIBTORCH points at another copy.
let named = Context.environment["TELESCOPE_LIBTORCH"] ?? ""
let libtorch = named.isEmpty ? Context.packageDirectory + "/.deps/torch" : named

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

func room(
  _ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil
) -> Target {
  .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

func tests(
  _ name: String, _ dependencies: [Target.Dependency] = []
) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: [.init(stringLiteral: name), "TestSupport"] + dependencies,
    swiftSettings: strict)
}

let package = Package(
  name: "telescope",
  platforms: [.macOS(.v14)],
  products: [
    .library(name: "Telescope", targets: ["Telescope"]),
    .executable(name: "telescope", targets: ["TelescopeCLI"]),
  ],
  targets: [
    // The engine.
    .target(
      name: "CTorch",
      cxxSettings: [
        .unsafeFlags([
          "-std=c++20", "-O3", "-Wno-deprecated-declarations",
          "-isystem", libtorch + "/include",
          "-isystem", libtorch + "/include/torch/csrc/api/include",
        ])
      ],
      linkerSettings: [
        .unsafeFlags(
          [
            "-L" + libtorch + "/lib", "-lc10", "-ltorch_cpu",
            "-Xlinker", "-rpath", "-Xlinker", libtorch + "/lib",
          ]),
        .unsafeFlags(
          ["-Xlinker", "--allow-shlib-undefined"], .when(platforms: [.linux])),
      ]),
    room("Tensors", ["CTorch"]),

    // Files and text: no engine below this line needs libtorch.
    room("StrictJSON"),
    .target(
      name: "CCurl", linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
    room("Checkpoints", ["StrictJSON", "CCurl"]),
    room("Tokenization", ["StrictJSON"]),
    room("Results"),
    room("Reports", ["Results"], resources: [.embedInCode("Viewer")]),

    // Models and methods.
    room("LanguageModels", ["Tensors", "Checkpoints", "Tokenization", "StrictJSON"]),
    room("Attribution", ["LanguageModels", "Tensors", "Tokenization", "Results"]),
    room(
      "Lenses",
      [
        "Attribution", "LanguageModels", "Tensors", "Checkpoints", "Tokenization", "Results",
        "StrictJSON",
      ]),

    room("Flow", ["Attribution", "LanguageModels", "Tensors", "Results"]),

    room(
      "Circuits",
      ["Attribution", "LanguageModels", "Tensors", "Tokenization", "Results", "StrictJSON"]),

    .target(
      name: "Telescope",
      dependencies: [
        "Tensors", "Checkpoints", "Tokenization", "LanguageModels", "Results", "Attribution",
        "Flow", "Lenses", "Circuits", "Reports",
      ]),
    .executableTarget(
      name: "TelescopeCLI", dependencies: ["Telescope", "StrictJSON"], swiftSettings: strict),

    // Tests.
    .target(
      name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
    tests("Tensors"),
    tests("StrictJSON"),
    tests("Checkpoints", ["StrictJSON"]),
    tests("Tokenization", ["StrictJSON", "Checkpoints"]),
    tests("LanguageModels", ["Tensors", "Checkpoints", "Tokenization", "StrictJSON"]),
    tests("Results"),
    tests(
      "Attribution",
      ["LanguageModels", "Tensors", "Checkpoints", "Tokenization", "Results", "StrictJSON"]),
    tests(
      "Lenses",
      [
        "Attribution", "LanguageModels", "Tensors", "Checkpoints", "Tokenization", "Results",
        "StrictJSON",
      ]),
    tests(
      "Flow",
      [
        "Attribution", "LanguageModels", "Tensors", "Checkpoints", "Tokenization", "Results",
        "StrictJSON",
      ]),
    tests(
      "Circuits",
      [
        "Attribution", "LanguageModels", "Tensors", "Checkpoints", "Tokenization", "Results",
        "StrictJSON",
      ]),
    tests("Reports", ["Results"]),
    tests("Telescope"),
    .testTarget(
      name: "CommandTests", dependencies: ["TestSupport", "Results"],
      swiftSettings: strict),
  ],
  cxxLanguageStandard: .cxx20
)
