internal import Foundation
internal import Telescope

/// The words of `telescope explain` as values.
struct ExplainRequest {
  enum Format: String, CaseIterable {
    case json
    case csv
    case html
    var option: String { "--" + rawValue }
  }

  struct Output {
    var format: Format
    /// Where it goes; nil for standard output.
    var file: OutputFile?

    init(_ format: Format, path: String) {
      self.format = format
      file = path == "-" ? nil : OutputFile(option: format.option, path: path)
    }
  }

  struct Check {
    var replacements: [CausalCheck.Replacement]
    var scope: CausalCheck.Scope
    /// A text file, one text a line.
    var reference: String?
  }

  enum TargetChoice {
    case plain(Target)
    case difference(Target, from: String)
  }

  var ids: [Int]?
  var answer: String?
  var mostNewTokens: Int?
  var everyToken: Bool
  var positions: [Int]?
  var contrast: String?
  var isChat: Bool
  var bos: Bool?
  var isLoop: Bool
  var layers: LayerChoice
  var baseline: Baseline
  var target: TargetChoice
  var estimator: Estimator
  var onset: Double
  var top: Int?
  var isCompatible: Bool
  var depth: Depth
  var neurons: NeuronChoice
  var path: PathChoice
  var otherPaths: [PathChoice]
  var otherBaselines: [Baseline]
  var tolerance: Double?
  var seed: Int?
  var check: Check?
  var completion: String?
  var lens: String?
  var isUnverifiedLens: Bool
  var outputs: [Output]
  var isReproducible: Bool
  /// Many prompts in place of one.
  var input: InputRequest?

  static let forms: [String: Arguments.Form] = [
    "--loop": .alone, "--chat": .alone, "--every-token": .alone, "--reproducible": .alone,
    "--bos": .alone, "--no-bos": .alone, "--ids": .list(accepts: isCount), "--answer": .value,
    "--position": .list(accepts: isCount), "--contrast": .value, "--max-new-tokens": .value,
    "--compat": .value, "--layers": .list { $0 == "embedding" || Int($0) != nil }, "--k": .value,
    "--baseline": .value, "--target": .value, "--estimator": .value, "--nodes": .value,
    "--tol": .value, "--onset": .value, "--top": .value, "--json": .value, "--csv": .value,
    "--html": .value, "--depth": .value, "--neurons": .value, "--path": .value,
    "--paths": .value, "--baselines": .value, "--orders": .value, "--seed": .value,
    "--check": .alone, "--replace": .list { CausalCheck.Replacement(rawValue: $0) != nil },
    "--at": .value, "--reference": .value, "--completion": .value, "--lens": .value,
    "--unverified-lens": .alone,
  ].merging(InputRequest.forms) { $1 }

  @Sendable private static func isCount(_ word: String) -> Bool {
    Int(word).map { $0 >= 0 } ?? false
  }

  /// Reads the words; `integrates` says that the command has integrals whatever is asked of it.
  init(_ arguments: Arguments, integrates: Bool = false) throws {
    isLoop = arguments.flag("--loop")
    isChat = arguments.flag("--chat")
    everyToken = arguments.flag("--every-token")
    isReproducible = arguments.flag("--reproducible")
    bos = arguments.flag("--bos") ? true : arguments.flag("--no-bos") ? false : nil
    ids = try arguments.list("--ids")?.compactMap { Int($0) }
    answer = try arguments.value("--answer")
    positions = try arguments.list("--position")?.compactMap { Int($0) }
    contrast = try arguments.value("--contrast")
    mostNewTokens = try arguments.integer("--max-new-tokens", in: 1...100_000)
    isCompatible = try arguments.choice("--compat", ["iglens"], \.self) != nil
    layers = try Self.layers(arguments)
    baseline = try Self.baseline(arguments.value("--baseline")) ?? (isCompatible ? .meanAll : .mean)
    target = try Self.target(arguments.value("--target") ?? "prob")
    depth =
      try arguments.choice("--depth", Depth.allCases, \.rawValue) ?? .layer
    neurons = try Self.neurons(arguments)
    let orders = try arguments.integer("--orders", in: 2...100_000)
    let paths: [PathChoice] = [.chain, .straight, .shapley(orders: orders ?? 32)]
    path = try arguments.choice("--path", paths, \.name) ?? .chain
    otherPaths = try arguments.choice("--paths", ["all"], \.self) == nil ? [] : paths
    otherBaselines =
      try arguments.choice("--baselines", ["all"], \.self) == nil
      ? [] : [.mean, .meanAll, .meanWithoutSink, .zero, .embedding]
    seed = try arguments.integer("--seed", in: 0...Int.max)
    estimator = try Self.estimator(arguments, isCompatible)
    tolerance = try Self.tolerance(arguments)
    onset =
      try arguments.number("--onset", "a share above 0 and up to 1") { $0 > 0 && $0 <= 1 } ?? 0.5
    top = try arguments.integer("--top", in: 0...1000)
    check = try Self.check(arguments)
    completion = try arguments.value("--completion")
    lens = try arguments.value("--lens")
    isUnverifiedLens = arguments.flag("--unverified-lens")
    outputs = try .asked(of: arguments)
    input = try InputRequest(arguments)
    try checkTogether(arguments, integrates: integrates)
  }

  /// Refuses options that contradict each other, so that none is read and ignored.
  private func checkTogether(_ arguments: Arguments, integrates: Bool) throws {
    func choose(_ options: String...) throws {
      let chosen = options.filter { arguments.flag($0) }
      if chosen.count > 1 {
        throw CommandError(
          .usage, "\(chosen.joined(separator: " and ")) contradict each other; give one.")
      }
    }
    try choose("--bos", "--no-bos")
    try choose("--layers", "--k")
    try choose("--answer", "--every-token", "--position", "--max-new-tokens")
    for option in ["--every-token", "--position"] { try choose("--contrast", option) }
    for option in ["--chat", "--bos", "--no-bos", "--loop"] { try choose("--ids", option) }
    for option in ["--bos", "--no-bos"] { try choose("--chat", option) }
    for format in Format.allCases { try choose("--loop", format.option) }
    for option in InputRequest.excluded { try choose("--input", option) }
    try input?.check(outputs)
    if isCompatible, case .plain(.divergence) = target {
      throw CommandError(
        .usage,
        "--target kl measures against the model's own output, which --compat iglens does not have; "
          + "leave one out.")
    }
    if tolerance != nil && !isIntegrating && !integrates {
      throw CommandError(
        .usage,
        "--tol goes with integrals: --estimator gauss, --depth, --neurons, --path straight, --paths "
          + "all or --check; leave it out.")
    }
    if arguments.has("--orders") && !isSampling {
      throw CommandError(.usage, "--orders goes with --path shapley or --paths all; leave it out.")
    }
    if seed != nil && !isDrawing && input == nil {
      throw CommandError(
        .usage,
        "--seed goes with --path shapley, --paths all or --check by resampling; leave it out.")
    }
    if isUnverifiedLens && lens == nil && completion == nil {
      throw CommandError(
        .usage, "--unverified-lens goes with --lens or --completion; leave it out.")
    }
    if lens != nil && completion != nil {
      throw CommandError(.usage, "--lens and --completion contradict each other; give one.")
    }
    if completion != nil {
      for option in ["--baseline", "--baselines"] where arguments.has(option) {
        throw CommandError(
          .usage, "--completion sets the baseline to the mean state; leave out \(option).")
      }
    }
    if contrast?.isEmpty == true {
      throw CommandError(.usage, "--contrast: the text is empty; give another prompt.")
    }
  }

  private static func layers(_ arguments: Arguments) throws -> LayerChoice {
    let count = try arguments.integer("--k", in: 1...100_000)
    if let listed = try arguments.list("--layers") {
      return .these(listed.map { Int($0) ?? -1 })
    }
    return count.map(LayerChoice.evenly) ?? .all
  }

  private static func baseline(_ text: String?) throws -> Baseline? {
    guard let text else { return nil }
    if text == "final-of:" {
      throw CommandError(.usage, "--baseline final-of: needs a text after the colon.")
    }
    if text.hasPrefix("final-of:") { return .finalOf(String(text.dropFirst(9))) }
    let plain: [Baseline] = [.mean, .meanAll, .meanWithoutSink, .zero, .embedding]
    if let found = plain.first(where: { $0.name == text }) { return found }
    throw CommandError(
      .usage,
      "--baseline '\(text)': choose one of \(plain.map(\.name).joined(separator: ", ")), "
        + "final-of:TEXT.")
  }

  private static func target(_ text: String) throws -> TargetChoice {
    for target in [Target.probabilityDifference, .logitDifference]
    where text.hasPrefix(target.name + ":") {
      return .difference(target, from: String(text.dropFirst(target.name.count + 1)))
    }
    let plain: [Target] = [.probability, .logProbability, .logit, .entropy, .divergence]
    if let found = plain.first(where: { $0.name == text }) { return .plain(found) }
    throw CommandError(
      .usage,
      "--target '\(text)': choose one of \(plain.map(\.name).joined(separator: ", ")), "
        + "prob-diff:TOKEN, logit-diff:TOKEN.")
  }

  static func tolerance(_ arguments: Arguments) throws -> Double? {
    try arguments.number("--tol", "a number above 0 and below 1") { $0 > 0 && $0 < 1 }
  }

  private static func check(_ arguments: Arguments) throws -> Check? {
    let replacements = try arguments.list("--replace")?
      .compactMap(CausalCheck.Replacement.init(rawValue:))
    let scope = try arguments.choice("--at", CausalCheck.Scope.allCases, \.rawValue)
    let reference = try arguments.value("--reference")
    guard arguments.flag("--check") else {
      for option in ["--replace", "--at", "--reference"] where arguments.has(option) {
        throw CommandError(.usage, "\(option) goes with --check; leave it out.")
      }
      return nil
    }
    if reference != nil && replacements.map(Set.init) == [.zero] {
      throw CommandError(
        .usage,
        "--reference gives means and resamples, and --replace zero needs neither; leave it out.")
    }
    return Check(
      replacements: CausalCheck.Replacement.allCases.filter {
        replacements?.contains($0) ?? true
      }, scope: scope ?? .position, reference: reference)
  }

  private static func neurons(_ arguments: Arguments) throws -> NeuronChoice {
    if try arguments.value("--neurons") == "all" { return .all }
    let count = try arguments.integer("--neurons", in: 1...10_000_000, or: "all")
    return count.map(NeuronChoice.largest) ?? .none
  }

  /// Whether some number is an integral whose nodes are doubled until it meets a tolerance.
  private var isIntegrating: Bool {
    if case .adaptive = estimator { return true }
    return depth != .layer || neurons != .none || path == .straight || !otherPaths.isEmpty
      || check != nil
  }

  private var isSampling: Bool {
    if case .shapley = path { return true }
    return !otherPaths.isEmpty
  }

  private var isDrawing: Bool {
    isSampling || check?.replacements.contains(.resample) == true
  }

  private static func estimator(
    _ arguments: Arguments, _ isCompatible: Bool
  ) throws -> Estimator {
    let names = ["observed", "gradient", "gauss"]
    let name =
      try arguments.choice("--estimator", names, \.self) ?? (isCompatible ? "gradient" : "observed")
    let nodes = try arguments.integer("--nodes", in: 1...4096)
    let tolerance = try Self.tolerance(arguments)
    if tolerance != nil && name == "gauss" && nodes != nil {
      throw CommandError(.usage, "--tol and --nodes contradict each other; give one.")
    }
    if tolerance != nil && name == "gradient" {
      throw CommandError(
        .usage, "--tol goes with --estimator gauss, and in place of --nodes; leave one out.")
    }
    switch name {
    case "gradient": return .gradient(steps: nodes ?? 64)
    case "gauss": return tolerance.map(Estimator.adaptive) ?? .gauss(nodes: nodes ?? 16)
    default:
      if nodes != nil {
        throw CommandError(
          .usage, "--nodes goes with --estimator gradient or gauss; observed needs no grid.")
      }
      return .observed
    }
  }
}
