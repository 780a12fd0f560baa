internal import LanguageModels
public import Results
internal import Tensors

/// What scores are summed to before a person sees them.
public enum AttributionLevel: Sendable, Equatable {
  /// Tokens, by their embeddings.
  case tokens
  /// Units of each layer at each token.
  case units(UnitKind)

  /// The name in commands and results.
  public var name: String {
    switch self {
    case .tokens: "token"
    case .units(let kind): kind.rawValue
    }
  }

  /// All, coarse to fine.
  public static let all: [AttributionLevel] =
    [.tokens] + [.residual, .attention, .mlp, .head, .neuron].map { .units($0) }

  /// Where they are seen, one site for each layer that has them.
  func sites(in model: any LanguageModel) -> [Site] {
    switch self {
    case .tokens: [.embedding]
    case .units(let kind):
      (0..<model.shape.layers).map(kind.site).filter(model.sites.contains)
    }
  }
}

/// What a person may ask scores of.
public protocol AttributionSource: Sendable {
  /// Scores of one text, summed to levels, with their certificates.
  ///
  /// - Parameters:
  ///   - levels: what is scored; all from one run of the method.
  ///   - setting: one text.
  ///   - top: how many neurons and heads are listed.
  ///   - progress: told the share done.
  /// - Returns: one for each level.
  /// - Throws: `ModelError`, `AttributionError` or `EngineError`.
  /// - Complexity: the method's own, and for neurons one forward pass for their values.
  func attribution(
    _ levels: [AttributionLevel], in setting: GradientSetting, top: Int, progress: (Double) -> Void
  ) throws -> Attribution

  /// The method with all that decides its numbers.
  func description(in setting: GradientSetting) -> AttributionMethod
}

/// Scores of one text.
public struct Attribution {
  /// Coarse to fine.
  public var scores: [AttributionScores]
  /// m of the text.
  public var value: Double
  /// m of where paths start.
  public var start: Double?
  /// Gradients were taken at so many points.
  public var nodes: Int?
  /// Runs.
  public var passes: PassCount
}

extension GradientMethod {
  /// Scores of one text, summed to levels.
  public func attribution(
    _ levels: [AttributionLevel], in setting: GradientSetting, top: Int = 100,
    progress: (Double) -> Void = { _ in }
  ) throws -> Attribution {
    let model = setting.model
    let sites = levels.map { $0.sites(in: model) }
    for (level, sites) in zip(levels, sites) where sites.isEmpty {
      throw AttributionError(
        .usage,
        "\(model.shape.architecture) has no \(level.name) units; choose others with --units.")
    }
    let all = sites.flatMap(\.self)
    let found: SiteScores = try withEngineErrors {
      try self.scores(of: all, in: setting, progress: progress)
    }
    let values =
      try levels.contains(.units(.neuron))
      ? setting.seen(all, gradients: false).values : [:]
    let scores = try zip(levels, sites).map { level, sites in
      try withEngineErrors {
        try summed(level, sites, found, values, top: top, shape: model.shape)
      }
    }
    return Attribution(
      scores: scores, value: found.end[0], start: found.start?[0], nodes: found.nodes,
      passes: found.passes)
  }

  private func summed(
    _ level: AttributionLevel, _ sites: [Site], _ found: SiteScores, _ values: [Site: Tensor],
    top: Int, shape: ModelShape
  ) throws -> AttributionScores {
    let byLayer = sites.map { site in
      guard let value = found.values[site] else { preconditionFailure("no scores at \(site)") }
      return value
    }
    /// [position, units…] → a number for each leading place, by sum or by length.
    func reduced(_ value: Tensor, keeping axes: Int) throws -> [Double] {
      let wide = value.to(.float64)
      let kept = Array(wide.shape.dropFirst().prefix(axes))
      let flat = wide.reshaped(kept + [-1])
      guard isUnsigned else { return try flat.sum(along: -1).values() }
      return try (flat * flat).sum(along: -1).values().map { $0.squareRoot() }
    }
    let tokens = byLayer[0].size(1)
    let certificates: [SumCertificate] = try sites.compactMap { site in
      guard let expected = found.expected[site], let value = found.values[site] else { return nil }
      return SumCertificate(
        sum: try value.to(.float64).sum.scalar(), constants: found.constants[site],
        expected: expected)
    }
    let certified = certificates.count == sites.count
    let reason = certified ? nil : sites.lazy.compactMap(noSum).first
    func result(
      _ array: AxisArray, layers: [Int]?, top: [ScoredUnit]? = nil
    ) -> AttributionScores {
      AttributionScores(
        unit: level.name, array: array, layers: layers, top: top,
        certificates: certified ? certificates : nil, reason: reason)
    }
    guard case .units(let kind) = level else {
      return result(
        AxisArray(axes: ["position"], shape: [tokens], values: try reduced(byLayer[0], keeping: 1)),
        layers: nil)
    }
    let layers = sites.compactMap(\.layer)
    let isHeads = kind == .head
    let numbers = try byLayer.flatMap { try reduced($0, keeping: isHeads ? 2 : 1) }
    let array =
      isHeads
      ? AxisArray(
        axes: ["layer", "position", "head"], shape: [layers.count, tokens, shape.heads],
        values: numbers)
      : AxisArray(axes: ["layer", "position"], shape: [layers.count, tokens], values: numbers)
    switch kind {
    case .head:
      let units = numbers.indices.map { place in
        ScoredUnit(
          layer: layers[place / shape.heads / tokens], position: place / shape.heads % tokens,
          unit: place % shape.heads, score: numbers[place])
      }
      return result(array, layers: layers, top: units.largest(top))
    case .neuron:
      var units: [ScoredUnit] = []
      for (layer, value) in zip(layers, byLayer) {
        let scores = try value.values()
        let own = try values[kind.site(layer)]?.values()
        let width = value.size(-1)
        units += scores.indices.map { place in
          ScoredUnit(
            layer: layer, position: place / width, unit: place % width, score: scores[place],
            value: own?[place])
        }.largest(top)
      }
      return result(array, layers: layers, top: units.largest(top))
    case .residual, .attention, .mlp: return result(array, layers: layers)
    }
  }
}

extension [ScoredUnit] {
  /// Those of the largest magnitude, largest first; equal ones in their order.
  func largest(_ count: Int) -> [ScoredUnit] {
    let least = map { abs($0.score) }.sorted(by: >).prefix(count).last ?? 0
    let some = filter { abs($0.score) >= least && $0.score != 0 }
    return Array(
      some.enumerated().sorted {
        (abs($0.element.score), $1.offset) > (abs($1.element.score), $0.offset)
      }.map(\.element).prefix(count))
  }
}
