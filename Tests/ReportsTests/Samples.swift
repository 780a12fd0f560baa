import Results

/// Small results with invented numbers, so that every text of a report can be compared whole.
enum Samples {
  static let prompt = ["The", " capital", " of", " France", " is"]

  /// One token, ten layers, of which the last two matter and one takes away.
  static let one = result([
    explanation(
      0, " Paris", base: 0.00002,
      values: [0.0001, 0.0002, 0.0001, 0.0003, 0.0002, 0.0004, 0.0003, 0.0603, -0.0102, 0.72081])
  ])

  /// Three tokens, with losses.
  static let three = result([
    explanation(
      0, " Paris", base: 0.00002,
      values: [0.0001, 0.0002, 0.0001, 0.0003, 0.0002, 0.0004, 0.0003, 0.0603, -0.0102, 0.72081]),
    explanation(
      1, ".", base: 0.001,
      values: [0.0001, 0.0002, 0.0001, 0.0003, 0.0002, 0.0004, 0.0003, 0.41, 0.52, -0.73]),
    explanation(
      2, "\n", base: 0.0005,
      values: [0.0001, 0.0002, 0.0001, 0.0003, 0.0002, -0.0004, 0.0003, -0.0001, 0.0002, 0.9]),
  ])

  /// Text that must not reach a terminal or a page as it is.
  static let hostileTexts = [
    "\u{1B}[31mred", "</script><script>alert(1)</script>", "\u{202E}evil", "\0", "\r\n", "東京タワー",
    "👩‍👩‍👧‍👦", "\u{301}", "=1+1", "\u{2028}\u{2029}", "<!--", "{{script}}{{result}}", "العربية", "🏳️‍🌈",
    "\t", "     ", "", "\"quoted\", twice", "\u{9B}31m", "&amp;\u{FEFF}", "\u{7F}\u{7}",
  ]

  static let hostile: ExplainResult = {
    var result = Samples.result(
      hostileTexts.enumerated().map { index, text in
        explanation(index, text, base: 0.01, values: [0.1, -0.05, 0.2, 0.3, -0.1])
      })
    result.prompt = "A\u{1B}]0;title\u{7} <b>東京</b>"
    result.model.name = "model</title>\u{1B}[2J.gguf"
    result.baselineText = "\u{1B}[1m"
    result.warnings = ["A warning with \u{1B}[5m in it and https://example.com/ as well."]
    return result
  }()

  /// A single explanation of each kind of target, a contrast and a span.
  static let kinds: [ExplainResult] = {
    let values = [1.25, -2.5, 0.75, 3.5, -0.125, 6]
    var all: [ExplainResult] = []
    for target in ["logprob", "logit", "prob-diff", "logit-diff", "entropy", "kl"] {
      let scale = target == "prob-diff" ? 0.05 : 1.0
      var explanation = Samples.explanation(
        0, " Paris", base: target == "logprob" ? -12.5 : -1.5 * scale,
        values: values.map { $0 * scale })
      if target.hasSuffix("diff") {
        explanation.target.versus = TokenDescription(id: 7, text: " Rome")
      }
      var result = Samples.result([explanation])
      result.method.target = target
      all.append(result)
    }
    var span = Samples.explanation(0, " Paris.", base: -20, values: values)
    span.target.span = [.init(id: 3, text: " Paris"), .init(id: 4, text: ".")]
    for index in span.attributions.indices {
      span.attributions[index].rank = nil
      span.attributions[index].entropy = nil
      span.attributions[index].top = nil
    }
    all.append(result([span]))
    var contrast = one
    contrast.contrast = ContrastDescription(
      prompt: "The capital of Italy is", promptTokens: 5, tokens: contrast.tokens)
    var before = 0.0
    for index in contrast.explanations[0].attributions.indices {
      let lens = contrast.explanations[0].attributions[index].lens
      contrast.explanations[0].attributions[index].contrastLens = lens / 4
      contrast.explanations[0].attributions[index].contrastDifference = lens * 0.75
      contrast.explanations[0].attributions[index].contrastIncrement = lens * 0.75 - before
      before = lens * 0.75
    }
    all.append(contrast)
    return all
  }()

  /// Many tokens and layers, all of them of some weight.
  static let many: ExplainResult = {
    var state: UInt64 = 1
    func next() -> Double {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(Int64(bitPattern: state) >> 40) / 8_388_608
    }
    return result(
      (0..<24).map { index in
        explanation(index, " token", base: 0.5, values: (0..<80).map { _ in next() * 0.01 })
      })
  }()

  static func explanation(
    _ index: Int, _ text: String, base: Double, values: [Double]
  ) -> Explanation {
    var level = base
    let attributions = values.enumerated().map { layer, value in
      level += value
      return LayerAttribution(
        layer: layer, value: value, lens: level, rank: 40 - 4 * layer > 0 ? 40 - 4 * layer : 1,
        entropy: 9 - Double(layer) / 2,
        top: [
          TopToken(id: 100 + index, text: layer < 5 ? " the" : text, probability: 0.5),
          TopToken(id: 1, text: " a", probability: 0.25),
        ])
    }
    let total = values.map(abs).reduce(0, +)
    var cumulative = 0.0
    let onset = values.firstIndex {
      cumulative += abs($0)
      return cumulative >= total / 2
    }
    return Explanation(
      position: prompt.count - 1 + index, target: TargetDescription(id: 100 + index, text: text),
      modelValue: level + 3e-9, baselineValue: base, attributions: attributions,
      sum: values.reduce(0, +), certificate: -3e-9, onsetLayer: onset)
  }

  static func result(_ explanations: [Explanation]) -> ExplainResult {
    let layers = explanations[0].attributions.map(\.layer)
    return ExplainResult(
      toolVersion: "0.1.0",
      model: ModelDescription(
        name: "tiny.gguf", sha256: String(repeating: "ab", count: 32), architecture: "llama",
        layers: layers.count, dtype: "float32"),
      device: "cpu", prompt: prompt.joined(), promptTokens: prompt.count,
      tokens: prompt.enumerated().map { TokenDescription(id: $0, text: $1) }
        + explanations.map { TokenDescription(id: $0.target.id, text: $0.target.text) },
      method: MethodDescription(
        path: "chain", baseline: "mean", target: "prob", estimator: "observed", layers: layers,
        onsetFraction: 0.5),
      explanations: explanations, timingsMs: ["explain": 12.5])
  }
}
