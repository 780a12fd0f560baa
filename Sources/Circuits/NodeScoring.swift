public import Attribution
public import LanguageModels
internal import Results
internal import Tensors

/// How the units of a circuit are scored.
public enum NodeScoring: Sendable, Equatable {
  /// Value times coefficient under the rules; with a patch, (clean − patch) at one of the runs.
  case relp(BackwardRules = .relp, paired: LinearisationPoint? = nil)
  /// Attribution patching: (clean − patch) times the gradient at one of the runs; without a patch, value
  /// times gradient.
  case attributionPatching(at: LinearisationPoint = .clean)
  /// Integrated gradients of a whole layer's values from the patch (or zero) to the clean ones.
  case activations(steps: Int = 10)
  /// The conductance along the input's path from the patch (or zero).
  case conductance(steps: Int = 10)
  /// EAP-IG: gradients averaged along the input's path, times the difference at its ends.
  case pathAverage(steps: Int = 10)
  /// Exact patching of one unit at a time.
  case exact
  /// Numbers that know nothing.
  case random(seed: Int)

  /// The method that computes it; nil for what is no gradient.
  public var method: (any GradientMethod)? {
    switch self {
    case .relp(let rules, let paired): RelevancePropagation(rules, at: paired ?? .clean)
    case .attributionPatching(let point): AttributionPatching(at: point)
    case .activations(let steps): ActivationIG(.gaussLegendre(steps))
    case .conductance(let steps): Conductance(.trapezoid(steps))
    case .pathAverage(let steps): IntegratedGradients(.midpoint(steps))
    case .exact, .random: nil
    }
  }

  /// Whether values are compared with a patch's, where prompts have one; RelP does so when asked.
  public var isPaired: Bool {
    switch self {
    case .relp(_, let paired): paired != nil
    case .random: false
    default: true
    }
  }

  /// Scores of all units of a kind, the mean over prompts of one length.
  ///
  /// - Parameters:
  ///   - kind: which units.
  ///   - pairs: prompts of one length; all with a patch, or the patches are not used.
  ///   - model: the model.
  ///   - promptsAtOnce: how many run together.
  ///   - memory: the most bytes of a run, one prompt at least; nil for 2 GB.
  ///   - progress: told the share done.
  /// - Returns: one score for each unit at each position.
  /// - Throws: `ModelError` or `AttributionError` for prompts of several lengths, and for units or rules that the
  ///   model does not have; `EngineError` when memory runs out.
  /// - Complexity: for each prompt what the method takes; exact patching one pass for each unit.
  public func scores(
    of kind: UnitKind, pairs: [PromptPair], in model: any LanguageModel, promptsAtOnce: Int = 10,
    memory: Int? = nil, progress: (Double) -> Void = { _ in }
  ) throws -> UnitScores {
    try withEngineErrors { try gathered(kind, pairs, model, promptsAtOnce, memory, progress) }
  }

  private func gathered(
    _ kind: UnitKind, _ pairs: [PromptPair], _ model: any LanguageModel, _ most: Int,
    _ memory: Int?, _ progress: (Double) -> Void
  ) throws -> UnitScores {
    guard let method else {
      preconditionFailure("\(self) is no gradient method")
    }
    let shape = model.shape
    let sites = (0..<shape.layers).map { kind.site($0) }
    guard sites.allSatisfy(model.sites.contains) else {
      throw AttributionError(
        .usage,
        "\(shape.architecture) has layers without \(kind.rawValue) units, so they cannot be scored; choose "
          + "other units with --unit.")
    }
    let units = kind.count(in: shape)
    var sums = [Tensor?](repeating: nil, count: sites.count)
    var passes = PassCount(forward: 0, backward: 0)
    var promptsAtOnce = most
    if let memory, let first = pairs.first {
      let one = try GradientSetting(
        [first.clean], PromptPair.metric(of: [first]), in: model, memory: memory)
      promptsAtOnce = min(most, one.rowsAtOnce)
    }
    for start in stride(from: 0, to: pairs.count, by: promptsAtOnce) {
      let some = Array(pairs[start..<min(pairs.count, start + promptsAtOnce)])
      let patches = some.compactMap(\.patch)
      let isPaired = isPaired && patches.count == some.count
      let setting = try GradientSetting(
        some.map(\.clean), PromptPair.metric(of: some), from: isPaired ? .contrast(patches) : .zero,
        in: model, memory: memory)
      let found = try method.scores(of: sites, in: setting) {
        progress((Double(start) + $0 * Double(some.count)) / Double(pairs.count))
      }
      passes = found.passes
      for (index, site) in sites.enumerated() {
        guard var value = found.values[site] else { continue }
        // Of a head one number.
        if kind == .head { value = value.sum(along: -1) }
        let sum = value.to(.float32).reshaped([some.count, -1]).sum(along: 0)
        sums[index] = sums[index].map { $0 + sum } ?? sum
      }
    }
    let count = Double(pairs.count)
    let values = try sums.map { try $0.map { try ($0 * (1 / count)).floats() } ?? [] }
    guard values.allSatisfy({ $0.allSatisfy(\.isFinite) }) else {
      throw AttributionError.scoresNotFinite
    }
    return UnitScores(kind: kind, values: values, units: units, passes: passes)
  }
}

extension PromptPair {
  /// z(answer) − z(versus) at the last position, or z(answer) where there is no other.
  public static func metric(of pairs: [PromptPair]) -> Metric {
    let versus = pairs.compactMap(\.versus)
    return Metric(
      .logit, tokens: pairs.map(\.answer), versus: versus.count == pairs.count ? versus : [],
      position: (pairs.first?.clean.count ?? 1) - 1)
  }
}
