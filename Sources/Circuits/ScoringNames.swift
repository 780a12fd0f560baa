public import Attribution
public import LanguageModels
public import Results

extension NodeScoring {
  /// The names of scorings in commands.
  public static let names = [
    "relp", "relp-paired", "atp", "ig-activations", "conductance", "eap-ig", "exact", "random",
  ]

  /// The scoring of a name.
  ///
  /// - Parameters:
  ///   - name: one of `names`.
  ///   - steps: the nodes of a path; nil for ten.
  ///   - rules: the rules of RelP.
  ///   - point: the run at which gradients are taken, where that is a choice.
  ///   - seed: what draws random scores.
  public init?(
    _ name: String, steps: Int? = nil, rules: BackwardRules = .relp,
    at point: LinearisationPoint = .clean, seed: Int = 0
  ) {
    switch name {
    case "relp": self = .relp(rules)
    case "relp-paired": self = .relp(rules, paired: point)
    case "atp": self = .attributionPatching(at: point)
    case "ig-activations": self = .activations(steps: steps ?? 10)
    case "conductance": self = .conductance(steps: steps ?? 10)
    case "eap-ig": self = .pathAverage(steps: steps ?? 10)
    case "exact": self = .exact
    case "random": self = .random(seed: seed)
    default: return nil
    }
  }

  /// The name in commands.
  public var name: String {
    switch self {
    case .relp(_, let paired): paired == nil ? "relp" : "relp-paired"
    case .attributionPatching: "atp"
    case .activations: "ig-activations"
    case .conductance: "conductance"
    case .pathAverage: "eap-ig"
    case .exact: "exact"
    case .random: "random"
    }
  }

  /// The scoring with all that decides its numbers.
  ///
  /// - Parameters:
  ///   - pairs: prompts that are scored on.
  ///   - model: the model.
  /// - Returns: the name in commands, with path, rule, baseline and the like.
  /// - Throws: as `scores`.
  public func description(
    of pairs: [PromptPair], in model: any LanguageModel
  ) throws -> AttributionMethod {
    let isPaired = isPaired && pairs.allSatisfy { $0.patch != nil }
    let start = isPaired ? "contrast" : "zero"
    if case .random(let seed) = self { return AttributionMethod(name: name, seed: seed) }
    guard let method, let pair = pairs.first else {
      return AttributionMethod(name: name, path: "node", baseline: start)
    }
    let setting = try GradientSetting(
      [pair.clean], PromptPair.metric(of: [pair]),
      from: isPaired ? .contrast([pair.patch ?? []]) : .zero, in: model)
    var description = method.description(in: setting)
    description.name = name
    return description
  }

  /// Scores of all units of a kind by any of the ways, the mean over prompts.
  ///
  /// - Parameters:
  ///   - kind: which units.
  ///   - pairs: prompts, of one length where positions are told apart.
  ///   - model: the model.
  ///   - sumsPositions: whether a unit's scores are summed over positions; exact patching then replaces it at all
  ///     of them at once.
  ///   - memory: the most bytes of a run, one prompt at least; nil for what runs fastest.
  ///   - progress: told the share done.
  /// - Returns: one score for each unit at each position, or at all.
  /// - Throws: `CircuitError` or `AttributionError` for prompts that do not fit; `ModelError` for ids, units or
  ///   rules that the model does not have; `EngineError` when memory runs out.
  /// - Complexity: for each prompt what the method takes; exact patching one run for each unit.
  public func scores(
    of kind: UnitKind, over pairs: [PromptPair], in model: any LanguageModel,
    summingPositions sumsPositions: Bool = false, memory: Int? = nil,
    progress: (Double) -> Void = { _ in }
  ) throws -> UnitScores {
    let batches = try PairBatch.batches(of: pairs, tokensAtOnce: .max)
    if !sumsPositions { try PairBatch.checkLength(batches) }
    if case .relp(_, .some) = self, let index = pairs.firstIndex(where: { $0.patch == nil }) {
      throw CircuitError.noPatch(index)
    }
    if case .exact = self {
      return try ExactPatching.scores(
        of: kind, over: pairs, in: model, summingPositions: sumsPositions,
        tokensAtOnce: model.tokensAtOnce(1024, within: memory), progress: progress)
    }
    if case .random(let seed) = self {
      return try .random(
        kind, positions: sumsPositions ? 1 : batches[0].length, in: model, seed: seed,
        sumsPositions: sumsPositions)
    }
    var sum: UnitScores?
    var done = 0.0
    for batch in batches {
      let share = Double(batch.pairs.count) / Double(pairs.count)
      var some = try scores(of: kind, pairs: batch.pairs, in: model, memory: memory) {
        progress(done + share * $0)
      }
      done += share
      guard sumsPositions else { return some }
      some.sumPositions()
      for layer in some.values.indices {
        for unit in some.values[layer].indices {
          some.values[layer][unit] =
            some.values[layer][unit] * Float(share) + (sum?.values[layer][unit] ?? 0)
        }
      }
      sum = some
    }
    guard let sum else { throw CircuitError.noPrompts }
    return sum
  }
}

extension UnitScores {
  /// Adds up each layer's positions.
  mutating func sumPositions() {
    values = values.map { layer in
      var sums = [Float](repeating: 0, count: layer.isEmpty ? 0 : units)
      for (place, score) in layer.enumerated() { sums[place % units] += score }
      return sums
    }
    sumsPositions = true
  }

  /// Even numbers between −1 and 1.
  static func random(
    _ kind: UnitKind, positions: Int, in model: any LanguageModel, seed: Int, sumsPositions: Bool
  ) throws -> UnitScores {
    var random = SeededRandom(seed: UInt64(bitPattern: Int64(seed)))
    let layers = try Set(model.layers(with: kind))
    let units = kind.count(in: model.shape)
    let values = (0..<model.shape.layers).map { layer in
      layers.contains(layer)
        ? (0..<positions * units).map { _ in Float.random(in: -1...1, using: &random) } : []
    }
    return UnitScores(
      kind: kind, values: values, units: units, sumsPositions: sumsPositions,
      passes: PassCount(forward: 0, backward: 0))
  }
}
