import Results

/// A circuit of four neurons over three tokens, with every kind of edge; no number stands twice.
enum CircuitSamples {
  /// Nodes, edges, maps.
  static let edges: CircuitResult = {
    var result = trace
    for (index, node) in result.nodes.enumerated() {
      result.nodes[index].tokens = (0..<3).map { Double($0 + index) / 8 - 0.25 }
      result.nodes[index].logits = [node.score, node.score / 2]
    }
    result.logitTokens = [
      TokenDescription(id: 1, text: " are"), TokenDescription(id: 2, text: " is"),
    ]
    func edge(_ source: CircuitEdge.End, _ target: CircuitEdge.End, _ value: Double) -> CircuitEdge
    {
      CircuitEdge(
        source: source, target: target, value: value, weight: value / 4, attribution: value / 8)
    }
    result.edges = [
      edge(.token(0), .node(2), 0.5), edge(.token(1), .node(1), -1.25),
      edge(.node(1), .node(0), 2.5),
      edge(.node(2), .node(3), 0.75), edge(.node(0), .metric, 3), edge(.node(3), .metric, -0.375),
    ]
    return result
  }()

  /// Nodes alone.
  static let trace: CircuitResult = {
    var model = OtherSamples.model
    model.layers = 4
    let texts = ["The", " keys", " 東京"]
    return CircuitResult(
      toolVersion: "0.3.0", model: model, device: "cpu", text: texts.joined(),
      tokens: texts.enumerated().map { TokenDescription(id: 20 + $0, text: $1) },
      metric: MetricDescription(
        name: "logit-diff", token: TokenDescription(id: 1, text: " are"),
        versus: TokenDescription(id: 2, text: " \"is"), position: 2, value: 2.5),
      method: AttributionMethod(name: "relp", rules: "relp"), unit: "neuron", unitCount: 1920,
      nodes: [
        CircuitNode(layer: 3, position: 2, unit: 101, score: 1.5, value: 4),
        CircuitNode(layer: 1, position: 1, unit: 7, score: -0.75, value: 0.5),
        CircuitNode(layer: 0, position: 0, unit: 12, score: 0.5, value: -0.125),
        CircuitNode(layer: 3, position: 2, unit: 55, score: -0.25, value: nil),
      ], passes: PassCount(forward: 1, backward: 1), timingsMs: ["run": 3])
  }()

  /// A trace whose positions are summed, of a task.
  static let summed: CircuitResult = {
    var result = trace
    for index in result.nodes.indices { result.nodes[index].position = nil }
    result.task = CircuitTask(name: "sva-simple", trainPrompts: 300, testPrompts: 0, seed: 12)
    return result
  }()

  /// Curves of two methods and no node.
  static let evaluation: CircuitResult = {
    var result = trace
    result.nodes = []
    result.task = CircuitTask(name: "sva-simple", trainPrompts: 300, testPrompts: 40, seed: 12)
    result.passes = PassCount(forward: 26, backward: 2)
    func curve(_ method: AttributionMethod, _ shift: Double) -> CircuitCurve {
      let values = [(0, 0.0), (2, 0.25), (20, 0.95), (192, 1.0625), (1920, 1.0)]
      return CircuitCurve(
        method: method, ablation: "mean", selection: "top-absolute", full: 2.5, empty: 0.5,
        points: values.map { nodes, value in
          let faithfulness = nodes == 0 || nodes == 1920 ? value : value - shift
          return CircuitPoint(
            threshold: nil, nodes: nodes, share: Double(nodes) / 1920,
            circuit: 0.5 + 2 * faithfulness, complement: 2.5 - 2 * faithfulness,
            faithfulness: faithfulness, completeness: 1 - faithfulness)
        }, areas: CircuitAreas(cpr: 0.96 - shift, cmd: 0.06 + shift, cprLog: 0.7, cmdLog: 0.31),
        scorePasses: PassCount(forward: 1, backward: 1),
        curvePasses: PassCount(forward: 13, backward: 0))
    }
    result.curves = [
      curve(AttributionMethod(name: "relp", rules: "relp"), 0),
      curve(AttributionMethod(name: "atp", linearisedAt: "clean"), 0.3125),
    ]
    return result
  }()

  /// The metric does not change between all nodes and none.
  static let undefined: CircuitResult = {
    var result = evaluation
    result.curves = result.curves.map { curves in
      [curves[0]].map { curve in
        var curve = curve
        curve.empty = curve.full
        curve.areas = nil
        for index in curve.points.indices {
          curve.points[index].faithfulness = nil
          curve.points[index].completeness = nil
        }
        return curve
      }
    }
    return result
  }()

  /// Text that would break a terminal, a table or a page, in every field that has text.
  static let hostile: CircuitResult = {
    var result = edges
    let texts = ["</script>\u{1B}]0;x\u{7}", "<b>\u{202E}東\"", "{{script}}<!--\u{2028},\r\n"]
    for (position, text) in texts.enumerated() { result.tokens[position].text = text }
    result.text = texts.joined()
    result.model.name = "<img>\u{1B}[31m"
    result.metric.token.text = "<u>\"(p=\u{1B}"
    result.method.name = "<i>\u{1B}"
    result.unit = "<s>\u{1B}"
    result.task = CircuitTask(name: "</title>\u{1B}", trainPrompts: 1, testPrompts: 1, seed: 1)
    result.curves = evaluation.curves
    result.curves?[0].method.name = "<i>\u{1B}"
    result.curves?[0].ablation = "</script>\u{1B}"
    result.curves?[0].selection = "<b>\u{1B}"
    result.warnings = ["care</script>\u{1B}[2J"]
    return result
  }()
}
