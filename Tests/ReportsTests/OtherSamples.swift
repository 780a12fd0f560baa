import Results

/// Small results of the other commands, with invented numbers that add up as real ones do.
enum OtherSamples {
  static let model = ModelDescription(
    name: "tiny.gguf", sha256: String(repeating: "ab", count: 32), architecture: "llama", layers: 4,
    dtype: "float32")
  static let texts = ["The", " capital", " of", " France", " is", " Paris", "."]
  static let tokens = texts.enumerated().map { TokenDescription(id: 10 + $0, text: $1) }
  static let paris = TargetDescription(id: 15, text: " Paris")

  // MARK: The lens

  /// Five positions and four layers; the target comes first from layer 2 on.
  static let lens = lens(positions: [0, 1, 2, 3, 4], layers: 4)

  /// The last of them alone.
  static let position: LensResult = {
    var result = lens(positions: [4], layers: 4)
    result.lens = LensDescription(kind: "tuned", file: "lens.safetensors", sha256: "00")
    return result
  }()

  static func lens(positions: [Int], layers: Int) -> LensResult {
    let rows = (0..<layers).map { layer -> LensLayer in
      let depth = Double(layer + 1) / Double(layers)
      return LensLayer(
        layer: layer,
        cells: positions.map { position in
          let target = tokens[(position + 1) % tokens.count]
          let isFirst = 2 * layer >= layers
          let probability = depth * depth * (0.9 - 0.125 * Double(position % tokens.count))
          let first = TopToken(id: target.id, text: target.text, probability: probability)
          let other = TopToken(id: 1, text: "\n", probability: (1 - probability) / 4)
          return LensCell(
            top: isFirst ? [first, other] : [other, first],
            probability: probability, logit: 12 * depth - 4, rank: isFirst ? 1 : 400 >> layer,
            entropy: 6 * (1 - depth) + 0.5, divergence: 4 * (1 - depth))
        })
    }
    return LensResult(
      toolVersion: "0.1.0", model: model, device: "cpu", text: texts.joined(), tokens: tokens,
      lens: LensDescription(kind: "logit"), moment: "after", positions: positions,
      targets: positions.map { tokens[($0 + 1) % tokens.count] }, layers: rows,
      timingsMs: ["forward": 12.5])
  }

  /// Text that must not reach a terminal or a page as it is, as token, target and top token.
  static let hostileLens: LensResult = {
    let tokens = Samples.hostileTexts.enumerated().map { TokenDescription(id: $0, text: $1) }
    let reading = LensCell(
      top: tokens.prefix(3).map { TopToken(id: $0.id, text: $0.text, probability: 0.25) },
      probability: 0.25, logit: 1, rank: 1, entropy: 2, divergence: 0)
    let cells = tokens.map { token in
      var cell = reading
      cell.top.insert(TopToken(id: token.id, text: token.text, probability: 0.25), at: 0)
      return cell
    }
    return LensResult(
      toolVersion: "0.1.0", model: Samples.hostile.model, device: "cpu\u{1B}[2J",
      text: "A\u{1B}]0;title\u{7} <b>東京</b>", tokens: tokens,
      lens: LensDescription(kind: "tuned", file: "\u{1B}[31m</script>.pt"), moment: "middle",
      positions: Array(tokens.indices), targets: tokens,
      layers: [LensLayer(layer: 0, cells: cells), LensLayer(layer: 1, cells: cells)],
      warnings: ["A warning with \u{1B}[5m in it."])
  }()

  // MARK: Direct logit attribution

  static func node(
    _ kind: AttributionNode.Kind, _ layer: Int, _ children: [AttributionNode], missing: Double = 0,
    head: Int? = nil
  ) -> AttributionNode {
    AttributionNode(
      kind: kind, layer: layer, head: head,
      value: children.map(\.value).reduce(0, +) + missing, residual: missing, children: children)
  }

  /// Two layers of heads, source tokens and neurons; one sum misses its whole visibly.
  static let logit: DirectLogitResult = {
    var state: UInt64 = 3
    func next() -> Double {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(state >> 40) / 16_777_216 - 0.25
    }
    var parts = [AttributionNode(kind: .embedding, layer: -1, value: 0.312_345_67)]
    for layer in 0..<2 {
      let heads = (0..<3).map { head in
        node(
          .head, layer,
          (0..<5).map {
            AttributionNode(kind: .source, layer: layer, source: $0, value: next() / 2)
          }, missing: 1e-9, head: head)
      }
      let bias = AttributionNode(kind: .bias, layer: layer, value: 0.012_345_6)
      parts.append(node(.attention, layer, heads + [bias]))
      let neurons = (0..<4).map {
        AttributionNode(kind: .neuron, layer: layer, neuron: 37 * $0, value: 3 * next())
      }
      let others = AttributionNode(kind: .others, layer: layer, value: next())
      parts.append(node(.mlp, layer, neurons + [others], missing: layer == 0 ? 0.0123 : 0))
    }
    parts.append(AttributionNode(kind: .bias, layer: -1, value: -0.020_000_04))
    let sum = parts.map(\.value).reduce(0, +)
    return DirectLogitResult(
      toolVersion: "0.1.0", model: model, device: "cpu", prompt: texts.prefix(5).joined(),
      promptTokens: 5, tokens: tokens, centred: true,
      explanations: [
        DirectLogitExplanation(
          position: 4, target: paris, modelLogit: sum - 1.5e-6, parts: parts, sum: sum,
          certificate: 1.5e-6)
      ], timingsMs: ["forward": 12.5])
  }()

  static let hostileLogit: DirectLogitResult = {
    var result = logit
    result.model = Samples.hostile.model
    result.finalNorm = "\u{1B}[31m"
    result.centred = false
    result.tokens = Samples.hostileTexts.enumerated().map { TokenDescription(id: $0, text: $1) }
    result.warnings = ["A warning with \u{1B}[5m in it."]
    result.explanations = Samples.hostileTexts.map { text in
      var explanation = result.explanations[0]
      explanation.target.text = text
      explanation.target.versus = TokenDescription(id: 3, text: text)
      return explanation
    }
    return result
  }()

  // MARK: Comparison

  static let comparison: CompareResult = {
    let values: [(String, String, Double, [Double])] = [
      ("ig-lens", "prob", 0.000_02, [0.0001, -0.004_06, 0.060_304, 0.7162]),
      ("straight", "prob", 0.000_02, [-0.002_35, 0.0004, 0.1003, 0.674_194]),
      ("dla", "logit", 0.3123, [0.955_83, -0.1703, 1.123_21, 4.0021]),
      ("logit-lens", "logit", -4.000_04, [0.5, 1.25, -0.333_33, 12.0042]),
    ]
    let methods = values.map {
      ComparedMethod(name: $0.0, unit: $0.1, start: $0.2, values: $0.3, certificate: -3e-9)
    }
    let pairs: [(String, String, Double?)] = [
      ("ig-lens", "straight", 0.8), ("ig-lens", "dla", 1), ("ig-lens", "logit-lens", -0.2),
      ("straight", "dla", 0.8), ("straight", "logit-lens", 0), ("dla", "logit-lens", nil),
    ]
    return CompareResult(
      toolVersion: "0.1.0", model: model, device: "cpu", prompt: texts.prefix(5).joined(),
      promptTokens: 5, tokens: tokens, baseline: "mean", target: "prob", layers: [0, 1, 2, 3],
      explanations: [
        Comparison(
          position: 4, target: paris, modelValue: 0.772_564, methods: methods,
          correlations: pairs.map { RankCorrelation(first: $0.0, second: $0.1, spearman: $0.2) })
      ], timingsMs: ["forward": 12.5])
  }()

  static let hostileComparison: CompareResult = {
    var result = comparison
    result.model = Samples.hostile.model
    result.baseline = "\u{202E}"
    result.tokens = Samples.hostileTexts.enumerated().map { TokenDescription(id: $0, text: $1) }
    result.explanations = Samples.hostileTexts.map { text in
      var explanation = result.explanations[0]
      explanation.target.text = text
      explanation.methods[1].name = text
      explanation.methods[2].unit = text
      explanation.correlations[0].second = text
      return explanation
    }
    return result
  }()

  // MARK: Aggregate

  static let aggregate = AggregateResult(
    toolVersion: "0.1.0", model: model, device: "cpu", prompts: 100, tokens: 812,
    method: MethodDescription(
      path: "chain", baseline: "mean", target: "prob", estimator: "observed", layers: [0, 1, 2, 3],
      onsetFraction: 0.5),
    resamples: 1000, seed: 7,
    profile: [
      LayerInterval(layer: 0, mean: 0.000_12, low: -0.001, high: 0.0012),
      LayerInterval(layer: 1, mean: -0.031_25, low: -0.04, high: -0.02),
      LayerInterval(layer: 2, mean: 0.23, low: 0.19, high: 0.26),
      LayerInterval(layer: 3, mean: 0.801_13, low: 0.75, high: 0.8412),
    ],
    onset: [
      LayerInterval(layer: 0, mean: 0, low: 0, high: 0),
      LayerInterval(layer: 1, mean: 0.02, low: 0.01, high: 0.05),
      LayerInterval(layer: 2, mean: 0.18, low: 0.12, high: 0.25),
      LayerInterval(layer: 3, mean: 0.8, low: 0.72, high: 0.86),
    ],
    agreement: [
      AgreementInterval(
        replacement: .mean, kind: .attention, measure: "spearman", mean: 0.71, low: 0.65, high: 0.77
      ),
      AgreementInterval(
        replacement: .zero, kind: .neurons, measure: "sign", mean: 0.912, low: 0.85, high: 0.97),
    ],
    converged: 0.9987, timingsMs: ["forward": 12.5])

  static let hostileAggregate: AggregateResult = {
    var result = aggregate
    result.model = Samples.hostile.model
    result.method.baseline = "\u{1B}[31m東京"
    result.agreement[0].measure = "\u{202E}evil"
    result.warnings = ["A warning with \u{1B}[5m in it."]
    return result
  }()
}
