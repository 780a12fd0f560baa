internal import Foundation
internal import Telescope

/// The words of `telescope flow` as values.
struct FlowWords {
  /// The layout of `--json`.
  enum Layout: String, CaseIterable {
    case telescope
    case lig
  }

  var plan: FlowPlan
  var place: PromptOptions
  var outputs: [ExplainRequest.Output]
  var layout: Layout
  var top: Int
  var isReproducible: Bool
  /// Of the draws for the intervals over many texts.
  var seed: Int
  /// Many texts in place of one.
  var input: InputRequest?

  static let forms: [String: Arguments.Form] = [
    "--granularity": .value, "--baseline": .value, "--baseline-attention": .value,
    "--baseline-feed-forward": .value, "--baseline-layer": .value, "--boundary": .value,
    "--scalarisation": .value, "--quadrature": .value, "--steps": .value, "--tol": .value,
    "--layers": .list(accepts: isCount), "--targets": .list(accepts: isCount),
    "--heads": .list(accepts: isCount), "--compose": .value, "--compare": .list(accepts: isWay),
    "--ids": .list(accepts: isCount), "--chat": .alone, "--bos": .alone, "--no-bos": .alone,
    "--json": .value, "--csv": .value, "--html": .value, "--format": .value, "--top": .value,
    "--reproducible": .alone, "--seed": .value,
  ].merging(InputRequest.forms) { $1 }

  @Sendable private static func isCount(_ word: String) -> Bool {
    Int(word).map { $0 >= 0 } ?? false
  }

  @Sendable private static func isWay(_ word: String) -> Bool {
    FlowWay(word, FlowOptions()) != nil
  }

  init(_ arguments: Arguments) throws {
    plan = FlowPlan()
    place = try PromptOptions(arguments)
    plan.options = try Self.options(arguments)
    plan.compositions = try Self.listed(arguments, "--compose", Composition.allCases)
    plan.compared = try Self.compared(arguments, plan.options)
    try Self.checkUsed(arguments, plan)
    outputs = try .asked(of: arguments)
    let format = try arguments.choice("--format", Layout.allCases, \.rawValue)
    layout = format ?? .telescope
    plan.options.splitsCoordinates = layout == .lig
    guard format == nil || outputs.contains(where: { $0.format == .json }) else {
      throw CommandError(.usage, "--format goes with --json; name a file for it, or leave it out.")
    }
    top = try arguments.integer("--top", in: 1...1000) ?? 6
    isReproducible = arguments.flag("--reproducible")
    input = try InputRequest(arguments)
    let drawn = try arguments.integer("--seed", in: 0...Int.max)
    seed = drawn ?? 0
    for (option, isGiven) in [
      ("--aggregate", input?.aggregate != nil), ("--resamples", arguments.flag("--resamples")),
      ("--seed", drawn != nil),
    ] where isGiven && (input == nil || plan.compared == nil) {
      throw CommandError(.usage, "\(option) goes with --input and --compare; leave it out.")
    }
    guard let input else { return }
    for option in ["--ids", "--csv", "--html", "--targets"] where arguments.flag(option) {
      throw CommandError(.usage, "--input and \(option) contradict each other; give one.")
    }
    if layout == .lig && input.isResumed {
      throw CommandError(
        .usage,
        "--resume reads its own lines back, which --format lig does not write; leave one out.")
    }
    try input.check(outputs)
  }

  /// Refuses options of maps that nothing asked for, so that none is read and ignored.
  private static func checkUsed(_ arguments: Arguments, _ plan: FlowPlan) throws {
    var used = plan.usedMaps
    for way in [plan.compared?.0, plan.compared?.1].compactMap(\.self) { used.formUnion(way.maps) }
    let options: [(String, FlowGranularity)] = [
      ("--baseline-attention", .attention), ("--baseline-feed-forward", .feedForward),
      ("--baseline-layer", .layer), ("--boundary", .feedForward),
    ]
    for (option, map) in options where arguments.flag(option) && !used.contains(map) {
      throw CommandError(
        .usage,
        "\(option) is of the \(map.rawValue) map, which nothing here asks for; name it in --granularity, "
          + "or leave the option out.")
    }
    if try arguments.value("--baseline") == AttentionBaseline.itbMapRatio.rawValue,
      !used.contains(.attention)
    {
      throw CommandError(
        .usage,
        "--baseline itb-map-ratio is of the attention map, which nothing here asks for; name it in "
          + "--granularity, or choose itb.")
    }
  }

  private static func options(_ arguments: Arguments) throws -> FlowOptions {
    var options = FlowOptions()
    let maps = try listed(arguments, "--granularity", FlowGranularity.allCases)
    if !maps.isEmpty { options.granularities = Set(maps) }

    // One baseline for all maps that have it; each map may have its own.
    let all = try arguments.choice("--baseline", AttentionBaseline.allCases, \.rawValue)
    if let all {
      options.attentionBaseline = all
      options.layerBaseline = LayerBaseline(rawValue: all.rawValue) ?? .itb
      options.feedForwardBaseline = all == .zero ? .zero : .attITB
    }
    options.attentionBaseline =
      try arguments.choice("--baseline-attention", AttentionBaseline.allCases, \.rawValue)
      ?? options.attentionBaseline
    options.feedForwardBaseline =
      try arguments.choice("--baseline-feed-forward", FeedForwardBaseline.allCases, \.rawValue)
      ?? options.feedForwardBaseline
    options.layerBaseline =
      try arguments.choice("--baseline-layer", LayerBaseline.allCases, \.rawValue)
      ?? options.layerBaseline
    options.boundary =
      try arguments.choice("--boundary", FlowBoundary.allCases, \.rawValue) ?? options.boundary
    options.scalarisation =
      try arguments.choice("--scalarisation", FlowScalarisation.allCases, \.rawValue)
      ?? options.scalarisation
    options.quadrature = try quadrature(arguments)
    options.layers = try arguments.list("--layers")?.compactMap { Int($0) }
    options.targets = try arguments.list("--targets")?.compactMap { Int($0) }
    options.heads = try arguments.list("--heads")?.compactMap { Int($0) }
    return options
  }

  private static func quadrature(_ arguments: Arguments) throws -> FlowQuadrature {
    let isPublished =
      try arguments.choice(
        "--quadrature", ["gauss-legendre", "captum-trapezoid"], \.self) == "captum-trapezoid"
    let steps = try arguments.integer("--steps", in: (isPublished ? 2 : 1)...4096)
    let tolerance = try arguments.number("--tol", "a number above 0 and below 1") {
      $0 > 0 && $0 < 1
    }
    if tolerance != nil && (steps != nil || isPublished) {
      throw CommandError(
        .usage,
        "--tol doubles the nodes as needed, and "
          + (steps != nil ? "--steps" : "--quadrature captum-trapezoid")
          + " fixes them; give one.")
    }
    if isPublished { return .captumTrapezoid(steps: steps ?? 32) }
    return steps.map(FlowQuadrature.fixed) ?? .adaptive(tolerance: tolerance ?? 1e-3)
  }

  /// Values named in one word, joined by commas; `all` stands for each.
  private static func listed<Value: RawRepresentable>(
    _ arguments: Arguments, _ option: String, _ values: [Value]
  ) throws -> [Value] where Value.RawValue == String {
    guard let text = try arguments.value(option) else { return [] }
    if text == "all" { return values }
    let names = values.map(\.rawValue) + ["all"]
    let found = text.split(separator: ",", omittingEmptySubsequences: false).map {
      Value(rawValue: $0.trimmingCharacters(in: .whitespaces))
    }
    guard !found.contains(where: { $0 == nil }) else {
      throw CommandError(
        .usage, "\(option) '\(text)': choose among \(names.joined(separator: ", ")).")
    }
    return values.filter { value in found.contains { $0?.rawValue == value.rawValue } }
  }

  private static func compared(
    _ arguments: Arguments, _ options: FlowOptions
  ) throws -> (FlowWay, FlowWay)? {
    guard let names = try arguments.list("--compare") else { return nil }
    let ways = names.compactMap { FlowWay($0, options) }
    guard ways.count == 2, ways[0] != ways[1] else {
      throw CommandError(
        .usage,
        "--compare takes two different routes, such as layer product or layer:zero product:itb+zero."
      )
    }
    return (ways[0], ways[1])
  }
}
