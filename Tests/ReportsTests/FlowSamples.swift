import Results

/// Flows of four tokens to two of them, with heads 0 and 3: every axis has its own length or its own
/// names, and no number stands twice, so that nothing can change places unseen.
enum FlowSamples {
  static let texts = ["[CLS]", " cat", " sat", "[SEP]"]

  /// One layer with everything.
  static let one = result(layers: [2])

  /// Three layers.
  static let many = result(layers: [0, 2, 5])

  /// A model that continues a text.
  static let decoder: FlowResult = {
    var result = one
    result.model.causal = nil
    result.model.architecture = "gpt2"
    result.parameters.steps = 24
    result.parameters.tolerance = nil
    return result
  }()

  /// Text that would break a terminal, a table or a page, in every field that has text.
  static let hostile: FlowResult = {
    var result = many
    let texts = [
      "</script>\u{1B}]0;x\u{7}", "<b>\u{202E}東\"", "{{script}}<!--\u{2028}", "=1+1,\r\n",
    ]
    for (position, text) in texts.enumerated() { result.tokens[position].text = text }
    result.text = texts.joined()
    result.model.name = "<img>\u{1B}[31m"
    result.warnings = ["care</script>\u{1B}[2J"]
    result.parameters.quadrature = "\u{1B}gauss"
    for index in result.layers.indices {
      result.layers[index].baseline.layer = "<i>\u{1B}"
      result.layers[index].composed = [
        "<b>\"&\u{1B}": numbers(["source", "target"], 1, layer: index)
      ]
    }
    result.agreement?[0].routes = ["<b>\u{1B}", "product"]
    result.agreement?[0].nulls[0].name = "<u>\u{1B}"
    return result
  }()

  static func result(layers: [Int]) -> FlowResult {
    var model = OtherSamples.model
    model.causal = false
    model.layers = 6
    let names = FlowBaselineNames(attention: "itb", feedForward: "att-itb", layer: "itb")
    return FlowResult(
      toolVersion: "0.2.0", model: model, device: "cpu", text: "cat sat",
      tokens: texts.enumerated().map { TokenDescription(id: 10 + $0, text: $1) },
      parameters: FlowParameters(
        granularity: ["attention", "feed-forward", "layer"], baseline: names,
        boundary: "strict", scalarisation: "length", quadrature: "gauss-legendre",
        tolerance: 0.001, steps: nil, targets: [1, 3], heads: [0, 3]),
      layers: layers.map { layer($0, names) },
      agreement: [agreement(nil, 0.25)] + layers.map { agreement($0, 0.125 + 0.0625 * Double($0)) },
      warnings: ["1 target did not reach the tolerance."])
  }

  private static func layer(_ layer: Int, _ names: FlowBaselineNames) -> FlowLayer {
    let tokenAxes = ["source", "target"]
    let headAxes = ["source", "target", "head"]
    let whole = numbers(tokenAxes, 1, layer: layer)
    let attention = numbers(headAxes, 2, layer: layer)
    let feedForward = numbers(["target", "head"], 3, layer: layer)
    return FlowLayer(
      layer: layer, baseline: names, layerFlow: map(whole, totals: ["target"]),
      attentionFlow: map(attention, totals: ["target", "head"]),
      feedForwardFlow: map(feedForward, totals: ["target"], overHeads: true),
      heads: FlowHeads(
        conductance: numbers(headAxes, 4, layer: layer),
        residual: numbers(["target"], 5, layer: layer)),
      composed: ["product": numbers(tokenAxes, 6, layer: layer)])
  }

  /// Numbers of about one size, some below zero, each another.
  static func numbers(_ axes: [String], _ kind: Int, layer: Int) -> AxisArray {
    let shape = axes.map { $0 == "source" ? 4 : 2 }
    let values = (0..<shape.reduce(1, *)).map { place -> Double in
      let step = (place * 7 + kind * 5 + layer * 3) % 23
      let size = Double(step * step) / 64 + Double(place) / 1024 + Double(kind) / 4096
      return step % 5 == 2 ? -size / 2 : size
    }
    return AxisArray(axes: axes, shape: shape, values: values)
  }

  /// Totals a little above the sums: by a thousandth of the second target and a millionth of others.
  private static func map(
    _ array: AxisArray, totals axes: [String], overHeads: Bool = false
  ) -> FlowMap {
    let count = overHeads ? 2 : array.values.count / 4
    var sums = [Double](repeating: 0, count: count)
    for (place, value) in array.values.enumerated() {
      sums[overHeads ? place / 2 : place % count] += value
    }
    let isSecond = (0..<count).map { $0 >= count / 2 }
    let errors = isSecond.map { $0 ? 0.002 : 0.000001 }
    let totals = zip(sums, errors).map { $0 / (1 - $1) }
    let shape = axes.map { _ in 2 }
    return FlowMap(
      array: array, totals: AxisArray(axes: axes, shape: shape, values: totals),
      completenessError: AxisArray(axes: axes, shape: shape, values: errors), nodes: [16, 64],
      unconverged: [3])
  }

  private static func agreement(_ layer: Int?, _ shift: Double) -> FlowAgreement {
    func scores(_ step: Double) -> AgreementScores {
      AgreementScores(
        relativeL2: shift + step, shareL2: shift + step + 0.011,
        scaledResidual: shift + step - 0.022, cosine: 1 - shift - step,
        pearson: 0.9 - shift - step, spearman: 0.8 - shift - step, topOverlap: 0.7 - shift - step)
    }
    func published(_ step: Double) -> PublishedAgreement {
      PublishedAgreement(
        l2Mean: 2 + step, l2Deviation: 0.5 + step, correlationMean: 0.125 - step,
        correlationDeviation: 0.0625 + step)
    }
    let none = AgreementScores(
      relativeL2: 1, shareL2: 1, scaledResidual: 1, cosine: nil, pearson: nil, spearman: nil,
      topOverlap: 0.5)
    return FlowAgreement(
      routes: ["layer", "product"], layer: layer, columns: layer == nil ? 2 : 1,
      topCount: 3,
      published: published(0), withSelf: scores(0), withoutSelf: scores(0.03),
      nulls: [
        NullAgreement(
          name: "zero", published: published(0.1), withSelf: none, withoutSelf: none),
        NullAgreement(
          name: "attention", published: published(0.2), withSelf: scores(0.125),
          withoutSelf: scores(layer == 2 ? 0.01 : 0.2)),
      ])
  }
}
