internal import Foundation
internal import Telescope

/// What an intervention is measured by, in words: tokens are known once the model is loaded.
struct MetricWords {
  static let forms: [String: Arguments.Form] = [
    "--answer": .value, "--versus": .value, "--target": .value, "--position": .value,
  ]

  let kind: Metric.Kind?
  let answer: String?
  let versus: String?
  private let position: Int?

  /// - Throws: `CommandError` for an answer to compare with and none that is compared.
  init(_ arguments: Arguments) throws {
    kind = try arguments.choice("--target", Metric.Kind.allCases, \.rawValue)
    answer = try arguments.value("--answer")
    versus = try arguments.value("--versus")
    position = try arguments.integer("--position", in: 0...Int.max)
    if versus != nil && answer == nil {
      throw CommandError(
        .usage, "--versus is what --answer is compared with; give both, or leave it out.")
    }
  }

  /// The choice in a model's tokens.
  ///
  /// - Throws: `CommandError` for a text that is no single token.
  func choice(in loaded: LoadedModel) throws -> MetricChoice {
    return MetricChoice(
      kind: kind, answer: try answer.map { try SingleToken.id($0, "--answer", loaded) },
      versus: try versus.map { try SingleToken.id($0, "--versus", loaded) }, position: position)
  }
}

/// The words of `telescope patch` as values.
struct PatchWords {
  var patching: ActivationPatching
  var metric: MetricWords
  var place: PromptOptions
  var outputs: [ExplainRequest.Output]
  var contrast: String?
  var noise: CausalTracing?
  /// The text whose tokens get noise.
  var subject: String?
  /// Or their positions.
  var subjectPositions: [Int]?
  var top: Int
  var isReproducible: Bool

  static let forms: [String: Arguments.Form] = [
    "--contrast": .value, "--noise": .value, "--subject": .value,
    "--subject-at": .list(accepts: isCount), "--samples": .value, "--seed": .value,
    "--unit": .value, "--layers": .list(accepts: isCount), "--positions": .list(accepts: isCount),
    "--direction": .value, "--window": .value, "--ids": .list(accepts: isCount), "--chat": .alone,
    "--bos": .alone, "--no-bos": .alone, "--json": .value, "--csv": .value, "--html": .value,
    "--top": .value, "--reproducible": .alone,
  ].merging(MetricWords.forms) { $1 }

  @Sendable static func isCount(_ word: String) -> Bool { Int(word).map { $0 >= 0 } ?? false }

  init(_ arguments: Arguments) throws {
    patching = ActivationPatching()
    metric = try MetricWords(arguments)
    place = try PromptOptions(arguments)
    outputs = try .asked(of: arguments)
    top = try arguments.integer("--top", in: 1...1000) ?? 8
    isReproducible = arguments.flag("--reproducible")
    patching.layers = try arguments.list("--layers").map { Set($0.compactMap { Int($0) }).sorted() }
    patching.positions =
      try arguments.list("--positions").map { Set($0.compactMap { Int($0) }).sorted() }
    patching.units = try Self.units(arguments)
    if let window = try arguments.integer("--window", in: 1...1000) {
      guard patching.units.contains(where: { $0 != .residual }) else {
        throw CommandError(
          .usage,
          "--window joins blocks' attention, mlp or head; a residual stream replaces all before it, so leave it "
            + "out or name another --unit.")
      }
      patching.window = window
    }
    let direction = try arguments.choice("--direction", PatchDirection.allCases, \.rawValue)
    patching.direction = direction ?? .denoise
    contrast = try arguments.value("--contrast")
    try readNoise(arguments, direction)
  }

  private mutating func readNoise(
    _ arguments: Arguments, _ direction: PatchDirection?
  ) throws {
    let scale = try arguments.number("--noise", "a number above 0") { $0 > 0 && $0.isFinite }
    subject = try arguments.value("--subject")
    subjectPositions = try arguments.list("--subject-at")?.compactMap { Int($0) }
    let samples = try arguments.integer("--samples", in: 1...1000)
    let seed = try arguments.integer("--seed", in: 0...Int.max)
    guard let scale else {
      for option in ["--subject", "--subject-at", "--samples", "--seed"] where arguments.has(option)
      {
        throw CommandError(.usage, "\(option) goes with --noise; leave it out.")
      }
      guard contrast != nil else {
        throw CommandError(
          .usage,
          "Nothing corrupts the text; give another with --contrast, or --noise and --subject.")
      }
      guard !place.hasIDs else {
        throw CommandError(
          .usage, "--ids gives one text, and --contrast is a text of its own; leave --ids out.")
      }
      return
    }
    guard contrast == nil else {
      throw CommandError(.usage, "--contrast and --noise both corrupt the text; give one.")
    }
    guard direction == nil else {
      throw CommandError(
        .usage, "--direction goes with --contrast: noise is always what is restored from.")
    }
    guard (subject == nil) != (subjectPositions == nil) else {
      throw CommandError(
        .usage,
        subject == nil
          ? "--noise needs the tokens that get it: --subject \"some words of the text\", or --subject-at P …."
          : "--subject and --subject-at both say which tokens get noise; give one.")
    }
    noise = CausalTracing(patching, scale: scale, samples: samples ?? 10, seed: seed ?? 0)
  }

  private static func units(_ arguments: Arguments) throws -> [PatchUnit] {
    guard let text = try arguments.value("--unit") else { return [.residual] }
    if text == "all" { return PatchUnit.allCases }
    let found = text.split(separator: ",", omittingEmptySubsequences: false).map {
      PatchUnit(rawValue: $0.trimmingCharacters(in: .whitespaces))
    }
    guard !found.contains(nil) else {
      let names = PatchUnit.allCases.map(\.rawValue) + ["all"]
      throw CommandError(
        .usage, "--unit '\(text)': choose among \(names.joined(separator: ", ")).")
    }
    return PatchUnit.allCases.filter(found.contains)
  }
}
