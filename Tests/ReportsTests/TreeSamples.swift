import Results
import TestSupport

/// A result with everything that `explain --depth token --neurons 4 --paths all --check` asks for.
///
/// The numbers are invented. They add up as real ones do: each level misses its parent by about
/// 1e-9, and the last layers hold nearly all of the change.
struct TreeSample {
  private var generator: SeededGenerator
  private let layers: Int
  private let heads: Int
  private let neurons: Int
  private let tokens: [String]

  static let text = [
    "The", " capital", " of", " Italy", " is", " Rome", ".", " The", " capital", " of", " France",
    " is",
  ]

  /// 30 layers of 9 heads that read 12 tokens.
  static let full = TreeSample(seed: 7).made()

  /// Three layers of three heads that read five tokens.
  static let small = TreeSample(
    seed: 3, layers: 3, heads: 3, neurons: 2, tokens: ["The", " capital", " of", " France", " is"]
  ).made()

  init(
    seed: UInt64, layers: Int = 30, heads: Int = 9, neurons: Int = 4, tokens: [String] = Self.text
  ) {
    generator = SeededGenerator(seed: seed)
    self.layers = layers
    self.heads = heads
    self.neurons = neurons
    self.tokens = tokens
  }

  /// The result of a sample that is not kept.
  func made() -> ExplainResult {
    var copy = self
    return copy.result()
  }

  private static func random(_ generator: inout SeededGenerator) -> Double {
    Double(Int64(bitPattern: generator.next()) >> 11) / Double(1 << 52)
  }

  /// `count` numbers that add up to `total` less a residual, a few of them large.
  private mutating func split(_ total: Double, _ count: Int) -> [Double] {
    var values = (0..<count).map { _ -> Double in
      let x = Self.random(&generator)
      return x * x * x + 0.05
    }
    let sum = values.reduce(0, +)
    values = values.map { $0 / (abs(sum) < 0.3 ? 0.3 : sum) * total }
    let miss = total + Self.random(&generator) * 3e-9 - values.reduce(0, +)
    values[count - 1] += miss
    return values
  }

  private static func node(
    _ kind: AttributionNode.Kind, _ layer: Int, head: Int? = nil, neuron: Int? = nil,
    source: Int? = nil, _ value: Double, _ children: [AttributionNode]? = nil
  ) -> AttributionNode {
    AttributionNode(
      kind: kind, layer: layer, head: head, neuron: neuron, source: source, value: value,
      residual: children.map { value - $0.reduce(0) { $0 + $1.value } } ?? 0, children: children)
  }

  /// The parts of one block.
  private mutating func parts(of layer: Int, _ value: Double) -> [AttributionNode] {
    var value = value
    var parts: [AttributionNode] = []
    if layer == 0 {
      parts.append(Self.node(.embedding, -1, value * 0.4))
      value *= 0.6
    }
    let attention = value * (0.2 + 0.3 * Self.random(&generator))
    var shares = split(attention, heads + 1)
    let bias = shares.removeLast() * 0.1
    shares[0] += attention - shares.reduce(0, +) - bias
    let heads = shares.enumerated().map { head, share in
      let sources = split(share, tokens.count).enumerated().map {
        Self.node(.source, layer, source: $0.offset, $0.element)
      }
      return Self.node(.head, layer, head: head, share, sources)
    }
    parts.append(
      Self.node(.attention, layer, attention, heads + [Self.node(.bias, layer, bias)]))
    let rest = value - attention + Self.random(&generator) * 2e-9
    let cells = split(rest, neurons + 1)
    let list = cells.dropLast().enumerated().map {
      Self.node(.neuron, layer, neuron: ($0.offset * 389 + layer * 41) % 1536, $0.element)
    }
    parts.append(Self.node(.mlp, layer, rest, list + [Self.node(.others, layer, cells[neurons])]))
    return parts
  }

  /// The whole result, for one explained token.
  mutating func result() -> ExplainResult {
    var values = (0..<layers).map { _ in Self.random(&generator) * 0.0015 }
    values[layers - 1] = 0.7021
    values[layers - 2] = 0.0598
    values[layers - 3] = -0.0102
    var explanation = Samples.explanation(0, " Paris", base: 0.00002, values: values)
    explanation.position = tokens.count - 1
    for index in values.indices {
      let value = values[index]
      explanation.attributions[index].nodes = index == 0 ? 32 : 16
      explanation.attributions[index].converged = true
      let parts = self.parts(of: index, value)
      explanation.attributions[index].parts = parts
      explanation.attributions[index].residual = value - parts.reduce(0) { $0 + $1.value }
    }
    addAlternatives(to: &explanation, values)
    addChecks(to: &explanation)
    var result = Samples.result([explanation])
    result.tokens =
      tokens.enumerated().map { TokenDescription(id: $0, text: $1) }
      + [TokenDescription(id: 100, text: " Paris")]
    result.prompt = tokens.joined()
    result.promptTokens = tokens.count
    result.model.name = "SmolLM2-135M-Instruct.Q4_1.gguf"
    result.method.estimator = "gauss"
    result.method.tolerance = 1e-4
    result.method.depth = "token"
    result.method.neurons = neurons
    return result
  }

  private mutating func addAlternatives(to explanation: inout Explanation, _ values: [Double]) {
    let ways = [
      ("chain", "zero"), ("chain", "embedding"), ("straight", "mean"), ("shapley", "mean"),
      ("completion", "means"),
    ]
    var alternatives: [Alternative] = []
    for (place, way) in ways.enumerated() {
      let other = values.map { value in
        value * (1 + 0.4 * Self.random(&generator)) + 0.004 * Self.random(&generator)
      }
      let isSampled = way.0 == "shapley"
      alternatives.append(
        Alternative(
          path: way.0, baseline: way.1, baselineValue: 0.001, values: other,
          standardErrors: isSampled ? other.map { abs($0) * 0.02 } : nil,
          nodes: isSampled ? nil : other.map { _ in 64 },
          converged: isSampled ? nil : other.indices.map { place != 2 || $0 > 1 },
          certificate: isSampled ? 0 : 1.2e-6))
    }
    explanation.alternatives = alternatives
    explanation.rankCorrelations = alternatives.enumerated().map { index, other in
      RankCorrelation(
        first: "chain/mean", second: other.path + "/" + other.baseline,
        spearman: 0.97 - 0.11 * Double(index))
    }
    for index in values.indices {
      let all = [values[index]] + alternatives.map { $0.values[index] }
      explanation.attributions[index].low = all.min()
      explanation.attributions[index].high = all.max()
    }
  }

  private mutating func addChecks(to explanation: inout Explanation) {
    for replacement in [CausalCheck.Replacement.mean, .resample] {
      var rows: [CheckedPart] = []
      func add(
        _ kind: CheckedPart.Kind, _ layer: Int, head: Int? = nil, neurons: [Int]? = nil,
        _ value: Double, _ generator: inout SeededGenerator
      ) {
        let predicted = value * (1 + 0.05 * Self.random(&generator))
        let actual = value * (0.9 + 0.5 * Self.random(&generator)) + 0.001 * Self.random(&generator)
        rows.append(
          CheckedPart(
            kind: kind, layer: layer, head: head, neurons: neurons, predicted: predicted,
            actual: actual, gap: predicted - actual))
      }
      for attribution in explanation.attributions {
        let layer = attribution.layer
        add(.layer, layer, attribution.value, &generator)
        for part in attribution.parts ?? [] {
          if part.kind == .attention { add(.attention, layer, part.value, &generator) }
          if part.kind == .mlp { add(.mlp, layer, part.value, &generator) }
          for child in part.children ?? [] where child.kind == .head {
            add(.head, layer, head: child.head, child.value, &generator)
          }
          let list = (part.children ?? []).filter { $0.kind == .neuron }
          if !list.isEmpty {
            add(
              .neurons, layer, neurons: list.compactMap(\.neuron),
              list.reduce(0) { $0 + $1.value }, &generator)
          }
        }
      }
      let agreement = CheckedPart.Kind.allCases.enumerated().map { place, kind in
        CheckAgreement(
          kind: kind, count: rows.filter { $0.kind == kind }.count,
          spearman: 0.95 - 0.07 * Double(place), signAgreement: 0.97 - 0.05 * Double(place))
      }
      let check = CausalCheck(
        replacement: replacement, scope: .position, rows: rows, agreement: agreement,
        source: replacement == .resample ? CausalCheck.Place(position: 3) : nil)
      explanation.checks = (explanation.checks ?? []) + [check]
    }
  }
}

extension Explanation {
  /// The same with every number of the target's times a factor.
  func scaled(by factor: Double) -> Explanation {
    var copy = self
    copy.modelValue *= factor
    copy.baselineValue *= factor
    copy.sum *= factor
    copy.certificate *= factor
    for index in copy.attributions.indices {
      copy.attributions[index].value *= factor
      copy.attributions[index].lens *= factor
      copy.attributions[index].residual? *= factor
      copy.attributions[index].low? *= factor
      copy.attributions[index].high? *= factor
      copy.attributions[index].parts = copy.attributions[index].parts?.map { $0.scaled(by: factor) }
    }
    return copy
  }
}

extension AttributionNode {
  /// The same times a factor.
  func scaled(by factor: Double) -> AttributionNode {
    var copy = self
    copy.value *= factor
    copy.residual *= factor
    copy.children = children?.map { $0.scaled(by: factor) }
    return copy
  }
}
