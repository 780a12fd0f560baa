import Attribution
import Checkpoints
import Circuits
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing

@Suite("Edges between neurons")
struct EdgesTests {
  static let models = [
    "llama-grouped-untied", "llama-biases", "gpt2", "gemma2", "gemma3", "gpt-neox", "falcon",
    "olmo2", "qwen3", "bert", "deberta-v3", "stablelm",
  ]
  static let ids = [5, 17, 3, 29, 11]

  private func model(_ name: String) throws -> any LanguageModel {
    try loadNetwork(of: Checkpoint(Fixtures.url("models/\(name)")), type: .float64)
  }

  private let metric = Metric(.logit, token: 7, versus: 12, position: 4)

  /// All neurons of some positions, so that every edge has both its ends.
  private func everything(_ model: any LanguageModel) -> [CircuitEdges.Place] {
    (0..<model.shape.layers).flatMap { layer in
      Self.ids.indices.flatMap { position in
        (0..<model.shape.hidden).map {
          CircuitEdges.Place(layer: layer, position: position, unit: $0)
        }
      }
    }
  }

  @Test("All that reaches a neuron directly, and biases, sum to its value", arguments: models)
  func sums(name: String) throws {
    let model = try model(name)
    let last = model.shape.layers - 1
    let targets = [0, last].flatMap { layer in
      [1, 4].map { CircuitEdges.Place(layer: layer, position: $0, unit: 3) }
    }
    let found = try CircuitEdges(leastWeight: 0).edges(
      between: targets, scores: targets.map { _ in 1 }, of: Self.ids, metric, in: model)
    let worst = try #require(found.worst)
    #expect(worst.residual < 1e-11 * (1 + abs(worst.expected)), "\(worst)")
    let run = try withRecording(false) {
      try model.run([Self.ids], capturing: Set(targets.map { .feedForward($0.layer, .hidden) }))
    }
    for (target, value) in zip(targets, found.values) {
      let own = try run.activations[.feedForward(target.layer, .hidden)].values()
      #expect(value == own[target.position * model.shape.hidden + target.unit])
    }
  }

  @Test("With every neuron a node, edges and tokens alone make up each value that has no biases")
  func edgesSum() throws {
    let model = try model("llama-grouped-untied")
    let nodes = everything(model)
    let found = try CircuitEdges(leastWeight: 0).edges(
      between: nodes, scores: nodes.map { _ in 1 }, of: Self.ids, metric, in: model)
    var sums: [CircuitEdge.End: Double] = [:]
    for edge in found.edges { sums[edge.target, default: 0] += edge.value }
    for (node, value) in found.values.enumerated() {
      #expect(abs((sums[.node(node)] ?? 0) - value) < 1e-11 * (1 + abs(value)))
    }
    #expect(abs((sums[.metric] ?? 0) - found.metric) < 1e-11 * (1 + abs(found.metric)))
    // Nothing comes from later: not from a later token, nor from the same layer or above.
    for edge in found.edges {
      guard case .node(let target) = edge.target else { continue }
      switch edge.source {
      case .node(let source):
        #expect(nodes[source].layer < nodes[target].layer)
        #expect(nodes[source].position <= nodes[target].position)
      case .token(let token): #expect(token <= nodes[target].position)
      case .metric: Issue.record("the metric gives nothing")
      }
    }
  }

  @Test(
    "An edge is the chain of output, attention or residual, and what the target reads, by differences"
  )
  func differences() throws {
    // Frozen rules are not the derivative; with true ones and networks stopped, differences judge the edges.
    let model = try model("gpt2")
    let nodes = [
      CircuitEdges.Place(layer: 0, position: 1, unit: 2),
      CircuitEdges.Place(layer: 1, position: 3, unit: 5),
    ]
    let found = try CircuitEdges(.gradient, leastWeight: 0).edges(
      between: nodes, scores: [1, 1], of: Self.ids, metric, in: model)
    let edge = try #require(
      found.edges.first { $0.source == .node(0) && $0.target == .node(1) })
    func target(_ change: Double) throws -> Double {
      var seen = 0.0
      let hidden = model.shape.hidden
      let sites: Set<Site> = [.feedForward(0, .hidden), .feedForward(1, .hidden)]
      let bump = Tensor(
        (0..<Self.ids.count * hidden).map { $0 == hidden + 2 ? change : 0 },
        [1, Self.ids.count, hidden], .float64)
      _ = try withRecording(false) {
        try model.run(
          [Self.ids],
          pass: Pass(sites: sites) { site, value in
            guard site == .feedForward(1, .hidden) else { return value + bump }
            seen = ((try? value.values()) ?? [])[3 * hidden + 5]
            return value
          })
      }
      return seen
    }
    let step = 1e-5
    let slope = (try target(step) - target(-step)) / (2 * step)
    // Layers 0 and 1 have no network between them.
    #expect(abs(edge.value - found.values[0] * slope) < 1e-8 * (1 + abs(edge.value)))
  }

  @Test("Pruning keeps what lies between a token and the metric")
  func pruning() {
    func edge(_ source: CircuitEdge.End, _ target: CircuitEdge.End) -> CircuitEdge {
      CircuitEdge(source: source, target: target, value: 1, weight: 1, attribution: 1)
    }
    // 0 is fed and feeds 2; 1 is fed by nothing; 3 feeds nothing.
    let (nodes, edges) = CircuitEdges.pruned(
      4,
      [
        edge(.token(0), .node(0)), edge(.node(0), .node(2)), edge(.node(1), .node(2)),
        edge(.node(2), .node(3)), edge(.node(2), .metric),
      ])
    #expect(nodes == [0, 2])
    #expect(
      edges == [
        edge(.token(0), .node(0)), edge(.node(0), .node(1)), edge(.node(1), .metric),
      ])
  }

  @Test("A neuron that is not there is named")
  func missing() throws {
    let model = try model("gpt2")
    let error = #expect(throws: AttributionError.self) {
      try CircuitEdges().edges(
        between: [.init(layer: 0, position: 9, unit: 0)], scores: [1], of: Self.ids, metric,
        in: model)
    }
    #expect(
      error?.message
        == "There is no neuron 0 in layer 0 at position 9; this model has layers 0 to "
        + "\(model.shape.layers - 1) with neurons 0 to \(model.shape.hidden - 1), the text positions 0 to 4."
    )
  }
}
