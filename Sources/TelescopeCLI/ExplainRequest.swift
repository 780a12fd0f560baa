internal import Foundation
internal import Telescope

/// The words of `telescope explain` as values.
struct ExplainRequest {
  struct Output {
    enum Kind: String, CaseIterable {
      case json
      case csv
      case html
    }
    var kind: Kind
    var path: String
    var option: String { "--" + kind.rawValue }
  }

  enum TargetChoice {
    case plain(Target)
    case difference(Target, from: String)
  }

  var prompt = ""
  var ids: [Int]?
  var answer: String?
  var mostNewTokens: Int
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
  var top: Int
  var isCompatible: Bool
  var outputs: [Output]
  var isReproducible: Bool

  init(_ arguments: inout Arguments) throws {
    isLoop = arguments.flag("--loop")
    isChat = arguments.flag("--chat")
    everyToken = arguments.flag("--every-token")
    isReproducible = arguments.flag("--reproducible")
    let withBOS = arguments.flag("--bos")
    let withoutBOS = arguments.flag("--no-bos")
    if withBOS && withoutBOS {
      throw CommandError(.usage, "--bos and --no-bos contradict each other; give one.")
    }
    bos = withBOS ? true : withoutBOS ? false : nil
    ids = try Self.numbers("--ids", &arguments)
    answer = try arguments.value("--answer")
    positions = try Self.numbers("--position", &arguments)
    contrast = try arguments.value("--contrast")
    let mostNewTokens = try arguments.integer("--max-new-tokens", in: 1...100_000)
    self.mostNewTokens = mostNewTokens ?? 16

    if let compat = try arguments.value("--compat") {
      guard compat == "iglens" else {
        throw CommandError(.usage, "--compat '\(compat)': the one script is iglens.")
      }
      isCompatible = true
    } else {
      isCompatible = false
    }
    layers = try Self.layers(&arguments)
    baseline = try Self.baseline(arguments.value("--baseline")) ?? (isCompatible ? .meanAll : .mean)
    target = try Self.target(arguments.value("--target") ?? "prob")
    estimator = try Self.estimator(&arguments, isCompatible)
    onset =
      try arguments.number("--onset", "a share above 0 and up to 1") { $0 > 0 && $0 <= 1 } ?? 0.5
    top = try arguments.integer("--top", in: 0...1000) ?? 5
    outputs = try Output.Kind.allCases.compactMap { kind in
      try arguments.value("--" + kind.rawValue).map { Output(kind: kind, path: $0) }
    }
    try checkTogether(mostNewTokensGiven: mostNewTokens != nil)
  }

  private func checkTogether(mostNewTokensGiven: Bool) throws {
    let chosen = [
      ("--answer", answer != nil), ("--every-token", everyToken), ("--position", positions != nil),
      ("--max-new-tokens", mostNewTokensGiven),
    ].filter(\.1).map(\.0)
    if chosen.count > 1 {
      throw CommandError(
        .usage, "\(chosen.joined(separator: " and ")) contradict each other; give one.")
    }
    if isChat && ids != nil {
      throw CommandError(.usage, "--chat wraps text; leave out --ids.")
    }
    if outputs.filter({ $0.path == "-" }).count > 1 {
      throw CommandError(.usage, "Only one of --json, --csv and --html can go to standard output.")
    }
    if isLoop && ids != nil {
      throw CommandError(.usage, "--loop reads prompts as text; leave out --ids.")
    }
    let paths = outputs.map(\.path).filter { $0 != "-" }
    if Set(paths).count < paths.count {
      throw CommandError(.usage, "Two outputs have the same file '\(paths[0])'; name different ones.")
    }
  }

  private static func numbers(_ name: String, _ arguments: inout Arguments) throws -> [Int]? {
    try arguments.list(name) { Int($0).map { $0 >= 0 } ?? false }?.compactMap { Int($0) }
  }

  private static func layers(_ arguments: inout Arguments) throws -> LayerChoice {
    let listed = try arguments.list("--layers") { $0 == "embedding" || Int($0) != nil }
    let count = try arguments.integer("--k", in: 1...100_000)
    if listed != nil && count != nil {
      throw CommandError(.usage, "--layers and --k contradict each other; give one.")
    }
    if let listed { return .these(listed.map { $0 == "embedding" ? -1 : Int($0) ?? 0 }) }
    return count.map(LayerChoice.evenly) ?? .all
  }

  private static func baseline(_ text: String?) throws -> Baseline? {
    guard let text else { return nil }
    if text.hasPrefix("final-of:") { return .finalOf(String(text.dropFirst(9))) }
    let plain: [Baseline] = [.mean, .meanAll, .meanWithoutSink, .zero, .embedding]
    if let found = plain.first(where: { $0.name == text }) { return found }
    throw CommandError(
      .usage, "--baseline '\(text)': choose one of \(plain.map(\.name).joined(separator: ", ")), "
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
      .usage, "--target '\(text)': choose one of \(plain.map(\.name).joined(separator: ", ")), "
        + "prob-diff:TOKEN, logit-diff:TOKEN.")
  }

  private static func estimator(
    _ arguments: inout Arguments, _ isCompatible: Bool
  ) throws -> Estimator {
    let name = try arguments.value("--estimator") ?? (isCompatible ? "gradient" : "observed")
    let nodes = try arguments.integer("--nodes", in: 1...4096)
    let tolerance = try arguments.number("--tol", "a number above 0 and below 1") {
      $0 > 0 && $0 < 1
    }
    if tolerance != nil && (name != "gauss" || nodes != nil) {
      throw CommandError(.usage, "--tol goes with --estimator gauss, and in place of --nodes.")
    }
    switch name {
    case "observed":
      if nodes != nil {
        throw CommandError(
          .usage, "--nodes goes with --estimator gradient or gauss; observed needs no grid.")
      }
      return .observed
    case "gradient": return .gradient(steps: nodes ?? 64)
    case "gauss": return tolerance.map(Estimator.adaptive) ?? .gauss(nodes: nodes ?? 16)
    default:
      throw CommandError(
        .usage, "--estimator '\(name)': choose one of observed, gradient, gauss.")
    }
  }
}
