import Foundation
import Results
import Testing

@Suite("The JSON of circuits")
struct CircuitResultTests {
  // MARK: A sample with every field

  static let result = CircuitResult(
    toolVersion: "0.3.0", model: AttributionResultTests.model, device: "cpu",
    task: CircuitTask(name: "ioi", trainPrompts: 300, testPrompts: 40, seed: 12), text: "The",
    tokens: SchemaDocumentTests.tokens,
    metric: MetricDescription(
      name: "logit", token: TokenDescription(id: 3, text: " a"), position: 2, value: 1.5),
    method: AttributionMethod(name: "relp", rules: "relp"), unit: "neuron", unitCount: 4096,
    nodes: [
      CircuitNode(
        layer: 4, position: 2, unit: 17, score: 3.5, value: -2.5, tokens: [0.25, 0.5, -0.125],
        logits: [1.25]),
      CircuitNode(layer: 1, position: nil, unit: 18, score: -3.25),
    ],
    edges: [
      CircuitEdge(
        source: .token(0), target: .node(1), value: 0.75, weight: 0.375, attribution: 0.1875),
      CircuitEdge(
        source: .node(1), target: .node(0), value: -0.5, weight: -0.625, attribution: -0.0625),
      CircuitEdge(source: .node(0), target: .metric, value: 8, weight: 9, attribution: 10),
    ],
    logitTokens: [TokenDescription(id: 3, text: " a")],
    curves: [
      CircuitCurve(
        method: AttributionMethod(name: "random", seed: 3), ablation: "mean",
        selection: "threshold", full: 2.5, empty: 0.5,
        points: [
          CircuitPoint(
            threshold: 0.0625, nodes: 0, share: 0, circuit: 0.5, complement: 2.5, faithfulness: 0,
            completeness: 1),
          CircuitPoint(
            threshold: nil, nodes: 4096, share: 1, circuit: 2.5, complement: 0.5,
            faithfulness: nil, completeness: nil),
        ], areas: CircuitAreas(cpr: 0.8125, cmd: 0.1875, cprLog: 0.6875, cmdLog: 0.3125),
        scorePasses: PassCount(forward: 0, backward: 0),
        curvePasses: PassCount(forward: 5, backward: 0))
    ], passes: PassCount(forward: 6, backward: 1), warnings: ["careful"], timingsMs: ["run": 1.5])

  private func text(_ result: CircuitResult, indented: Bool = false) throws -> String {
    String(decoding: try result.encoded(indented: indented), as: UTF8.self)
  }

  /// What reading a changed text says.
  private func message(_ old: String, _ new: String) throws -> String? {
    let text = try text(Self.result)
    let place = try #require(text.range(of: old), "\(old) in \(text)")
    let changed = text.replacingCharacters(in: place, with: new)
    do {
      _ = try CircuitResult.decoded(from: Data(changed.utf8))
      return nil
    } catch {
      return (error as? ResultsError)?.message ?? "not a ResultsError: \(error)"
    }
  }

  private func malformed(_ what: String) -> String {
    what + ". It is damaged or not from Telescope; write it again."
  }

  private func range(_ path: String, _ value: String, _ range: String) -> String {
    malformed("'\(path)' of this result is \(value), which is not \(range)")
  }

  // MARK: Writing and reading

  @Test("A result reads back as it was, in the same bytes each time")
  func roundTrip() throws {
    for indented in [true, false] {
      let first = try Self.result.encoded(indented: indented)
      let read = try CircuitResult.decoded(from: first)
      #expect(read == Self.result)
      #expect(try read.encoded(indented: indented) == first)
    }
  }

  @Test("The ends of an edge are words with a place")
  func ends() throws {
    let text = try text(Self.result)
    #expect(text.contains("\"source\":\"token 0\",\"target\":\"node 1\""))
    #expect(text.contains("\"source\":\"node 1\",\"target\":\"node 0\""))
    #expect(text.contains("\"source\":\"node 0\",\"target\":\"metric\""))
  }

  @Test("For people, each node, edge and point has a line of its own")
  func layout() throws {
    let text = try text(Self.result, indented: true)
    for line in [
      "    {\"layer\":4,\"logits\":[1.25],\"position\":2,\"score\":3.5,"
        + "\"tokens\":[0.25,0.5,-0.125],\"unit\":17,\"value\":-2.5},\n",
      "    {\"layer\":1,\"score\":-3.25,\"unit\":18}\n",
      "    {\"attribution\":10,\"source\":\"node 0\",\"target\":\"metric\",\"value\":8,\"weight\":9}\n",
      "        {\"circuit\":2.5,\"complement\":0.5,\"nodes\":4096,\"share\":1}\n",
    ] { #expect(text.contains(line), "\(line)") }
  }

  @Test("Without edges, nodes or curves a result reads back, and absent is not empty")
  func absent() throws {
    var result = Self.result
    result.edges = nil
    result.nodes = []
    result.task = nil
    result.curves = nil
    let text = try text(result)
    for key in ["edges", "curves", "task"] { #expect(!text.contains("\"\(key)\""), "\(key)") }
    #expect(try CircuitResult.decoded(from: Data(text.utf8)) == result)
    result.edges = []
    #expect(try CircuitResult.decoded(from: result.encoded()) == result)
  }

  @Test("A number that is NaN or infinite is refused by name")
  func notFinite() {
    var result = Self.result
    result.edges?[1].weight = -.infinity
    let error = ResultsError(
      code: .notFinite,
      message: "'edges[1].weight' is not a finite number, so the result cannot be written. "
        + "The model's numbers overflowed; compute in a wider dtype.")
    #expect(throws: error) { try result.encoded() }
  }

  // MARK: Refusals

  @Test("Ends of edges that do not exist are refused by name")
  func places() throws {
    #expect(
      try message("\"source\":\"node 1\"", "\"source\":\"node 2\"")
        == range("edges[1].source", "2", "a place in 'nodes'"))
    #expect(
      try message("\"target\":\"node 1\"", "\"target\":\"node -1\"")
        == range("edges[0].target", "-1", "a place in 'nodes'"))
    #expect(
      try message("\"token 0\"", "\"token 3\"")
        == range("edges[0].source", "3", "a position of 'tokens'"))
    for end in [
      "\"\"", "\"node\"", "\"node 1 2\"", "\"metric 0\"", "\"unit 1\"", "\"token x\"", "3",
    ] {
      #expect(
        try message("\"source\":\"token 0\"", "\"source\":" + end)
          == malformed("'edges[0].source' of this result is not of the type that the schema says"))
    }
  }

  @Test("Edges run from tokens to the metric and upwards, never back")
  func directions() throws {
    let older =
      "which this version of Telescope does not know. Use the version that wrote it, or "
      + "write it again."
    #expect(
      try message("\"source\":\"node 0\"", "\"source\":\"metric\"")
        == "'edges[2].source' of this result is 'metric', " + older)
    #expect(
      try message("\"target\":\"metric\"", "\"target\":\"token 1\"")
        == "'edges[2].target' of this result is 'token 1', " + older)
    #expect(
      try message(
        "\"source\":\"node 1\",\"target\":\"node 0\"", "\"source\":\"node 0\",\"target\":\"node 1\""
      )
        == range("edges[1].target", "1", "a node of a later layer"))
    #expect(
      try message(
        "\"source\":\"node 1\",\"target\":\"node 0\"", "\"source\":\"node 0\",\"target\":\"node 0\""
      )
        == range("edges[1].target", "0", "a node of a later layer"))
  }

  @Test("Of one layer's branches attention gives to the MLP, and not the other way round")
  func branches() throws {
    var result = Self.result
    result.unit = "branch"
    result.nodes[0] = CircuitNode(layer: 1, position: nil, unit: 1, score: 3.5)
    result.nodes[1] = CircuitNode(layer: 1, position: nil, unit: 0, score: -3.25)
    #expect(try CircuitResult.decoded(from: result.encoded()) == result)
    result.nodes.swapAt(0, 1)
    let error = ResultsError(
      code: .malformed,
      message: range("edges[1].target", "0", "a node of a later layer"))
    #expect(throws: error) { try result.checkRanges() }
    result.nodes.swapAt(0, 1)
    result.unit = "neuron"
    #expect(throws: error) { try result.checkRanges() }
  }

  @Test("Nodes, maps and curves that do not fit are refused by name")
  func ranges() throws {
    #expect(
      try message("\"layer\":4", "\"layer\":99")
        == range("nodes[0].layer", "99", "a layer of the model"))
    #expect(
      try message("\"layer\":1,", "\"layer\":-1,")
        == range("nodes[1].layer", "-1", "a layer of the model"))
    #expect(try message("\"unit\":17", "\"unit\":-1") == range("nodes[0].unit", "-1", "0 or more"))
    #expect(
      try message("\"position\":2,\"score\"", "\"position\":-1,\"score\"")
        == range("nodes[0].position", "-1", "a position of 'tokens'"))
    #expect(
      try message("[0.25,0.5,-0.125]", "[0.25]")
        == malformed("'nodes[0].tokens' of this result has 1 entries, and 'tokens' has 3"))
    #expect(
      try message("\"logits\":[1.25]", "\"logits\":[1.25,2]")
        == malformed("'nodes[0].logits' of this result has 2 entries, and 'logit_tokens' has 1"))
    #expect(
      try message("\"nodes\":4096,\"share\":1", "\"nodes\":4096,\"share\":1.5")
        == range("curves[0].points[1].share", "1.5", "from 0 to 1"))
    #expect(
      try message("\"nodes\":0,", "\"nodes\":5000,")
        == range("curves[0].points[1].nodes", "4096", "5000 or more"))
    #expect(
      try message("\"unit_count\":4096", "\"unit_count\":-1")
        == range("unit_count", "-1", "0 or more"))
    #expect(
      try message("\"train_prompts\":300", "\"train_prompts\":-3")
        == range("task.train_prompts", "-3", "0 or more"))
    #expect(
      try message("\"curve_passes\":{\"backward\":0", "\"curve_passes\":{\"backward\":-1")
        == range("curves[0].curve_passes.backward", "-1.0", "0 or more"))
  }
}
