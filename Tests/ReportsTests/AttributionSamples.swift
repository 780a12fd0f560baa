import Results

/// Attributions of a few tokens with numbers that can be checked by eye: no number stands twice.
enum AttributionSamples {
  static let texts = ["The", " keys", " to", " 東京", " cabinet"]

  /// Tokens alone, with a sum that is what it must be.
  static let tokens: AttributionResult = {
    let values = [0.125, 2.4, -0.0625, 0.8125, -0.075]
    return result(
      method: AttributionMethod(
        name: "ig", path: "input", quadrature: "gauss-legendre", steps: 20, baseline: "zero"),
      start: -0.0145,
      scores: [
        AttributionScores(
          unit: "token", array: AxisArray(axes: ["position"], shape: [5], values: values),
          certificates: [SumCertificate(sum: 3.2, expected: 3.2002)])
      ])
  }()

  /// The residual stream with sums and constants, heads, neurons with their strongest, and tokens whose
  /// scores promise no sum.
  static let layers: AttributionResult = {
    let residual = numbers(15, 64, lossEvery: 4) { Double($0 * $0 + 1) }
    let neurons = numbers(10, 256, lossEvery: 3) { Double($0 + 1) }
    let heads = numbers(20, 128, lossEvery: 5) { Double($0 + 2) }
    let sums = [0, 1, 2].map { row in residual[row * 5..<row * 5 + 5].reduce(0, +) }
    return result(
      method: AttributionMethod(
        name: "relp", rules: "relp", linearisedAt: "clean", baseline: "contrast", seed: 7),
      start: nil,
      scores: [
        AttributionScores(
          unit: "residual",
          array: AxisArray(axes: ["layer", "position"], shape: [3, 5], values: residual),
          layers: [-1, 0, 1],
          certificates: sums.enumerated().map {
            SumCertificate(
              sum: $1, constants: 0.25, expected: $1 + 0.25 + Double($0) * 0.0009765625)
          }),
        AttributionScores(
          unit: "neuron",
          array: AxisArray(axes: ["layer", "position"], shape: [2, 5], values: neurons),
          layers: [0, 1],
          top: [
            ScoredUnit(layer: 1, position: 4, unit: 1203, score: 0.21875, value: 3.5),
            ScoredUnit(layer: 0, position: 3, unit: 7, score: -0.1875, value: -0.25),
            ScoredUnit(layer: 1, position: 1, unit: 88, score: 0.0625, value: nil),
          ],
          reason: "the neurons of a layer are no cut of the model, so nothing fixes their sum."),
        AttributionScores(
          unit: "head",
          array: AxisArray(axes: ["layer", "position", "head"], shape: [2, 5, 2], values: heads),
          layers: [0, 1], reason: "heads are no cut of the model."),
        AttributionScores(
          unit: "token",
          array: AxisArray(axes: ["position"], shape: [5], values: [-0.5, -0.25, 0, -2, -1]),
          reason: "the gradient alone has no sum."),
      ],
      contrast: "The key to 東京 cabinet", passes: PassCount(forward: 2, backward: 1.5))
  }()

  /// Text that would break a terminal, a table or a page, in every field that has text.
  static let hostile: AttributionResult = {
    var result = layers
    let texts = [
      "</script>\u{1B}]0;x\u{7}", "<b>\u{202E}東\"", "{{script}}<!--\u{2028}", "=1+1,\r\n",
      "{{data}}",
    ]
    for (position, text) in texts.enumerated() { result.tokens[position].text = text }
    result.text = texts.joined()
    result.contrast?.text = "</script><i>\u{1B}[2J"
    result.model.name = "<img>\u{1B}[31m"
    result.device = "cpu\u{1B}"
    result.metric.name = "<u>\u{1B}"
    result.metric.token.text = "<u>\u{1B}\u{202E}"
    result.metric.versus?.text = "</title>\u{7}"
    result.method.name = "<i>\u{1B}"
    result.method.rules = "</script>\u{1B}"
    result.scores[3].unit = "token"
    result.scores[0].unit = "<b>\u{1B}"
    result.scores[2].reason = "<b>\u{1B}no"
    result.warnings = ["care</script>\u{1B}[2J"]
    return result
  }()

  /// So many tokens, some of two columns.
  static func long(_ count: Int) -> AttributionResult {
    var result = tokens
    result.tokens = (0..<count).map {
      TokenDescription(id: $0, text: $0 % 7 == 3 ? " 東\($0)" : " word\($0)")
    }
    result.text = result.tokens.joinedText
    result.metric.position = count - 1
    let values = numbers(count, 64, lossEvery: 3) { Double(($0 * 37) % 101 + 1) }
    result.scores = [
      AttributionScores(
        unit: "token", array: AxisArray(axes: ["position"], shape: [count], values: values),
        certificates: [SumCertificate(sum: values.reduce(0, +), expected: values.reduce(0, +))]),
      AttributionScores(
        unit: "mlp",
        array: AxisArray(axes: ["layer", "position"], shape: [2, count], values: values + values),
        layers: [0, 1]),
    ]
    return result
  }

  /// Sizes over a divisor, every so many of them below zero.
  private static func numbers(
    _ count: Int, _ divisor: Double, lossEvery: Int, _ size: (Int) -> Double
  ) -> [Double] {
    (0..<count).map { place -> Double in
      let value: Double = size(place) / divisor
      return place % lossEvery == 1 ? -value : value
    }
  }

  static func result(
    method: AttributionMethod, start: Double?, scores: [AttributionScores],
    contrast: String? = nil, passes: PassCount = PassCount(forward: 20, backward: 20)
  ) -> AttributionResult {
    var model = OtherSamples.model
    model.layers = 2
    let tokens = texts.enumerated().map { TokenDescription(id: 10 + $0, text: $1) }
    return AttributionResult(
      toolVersion: "0.3.0", model: model, device: "cpu", text: texts.joined(), tokens: tokens,
      contrast: contrast.map { ContrastText(text: $0, tokens: tokens) },
      metric: MetricDescription(
        name: "logit-diff", token: TokenDescription(id: 1, text: " are"),
        versus: TokenDescription(id: 2, text: " is"), position: 4, value: 3.1855, start: start),
      method: method, scores: scores, passes: passes, timingsMs: ["run": 12.5])
  }
}
