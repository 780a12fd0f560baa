import Attribution
import Checkpoints
import Circuits
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing

/// Edges and exact patching against the judge: see `Tests/Fixtures/gradients/README.md`.
@Suite("Edges and exact patching against the judge")
struct GoldenEdgesTests {
  static let names = [
    "bert", "gemma2", "gpt-neox", "gpt2", "llama-biases", "llama-grouped-untied", "olmo2", "qwen3",
  ]
  private static let tolerance = 1e-9

  /// A model with the judge's file.
  private struct Judged {
    let model: any LanguageModel
    let file: Safetensors

    init(_ name: String) throws {
      model = try loadNetwork(of: Checkpoint(Fixtures.url("models/" + name)), type: .float64)
      file = try Safetensors(Fixtures.url("gradients/\(name).safetensors"))
    }

    func numbers(_ name: String) throws -> [Double] {
      let tensor = try #require(file.tensors[name])
      return [Double](unsafeUninitializedCapacity: tensor.elementCount) { buffer, count in
        if let base = buffer.baseAddress { tensor.read(into: base) }
        count = tensor.elementCount
      }
    }

    func whole(_ name: String) throws -> [Int] {
      try #require(file.tensors[name]).withBytes { bytes in
        (0..<bytes.count / 8).map {
          Int(bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self))
        }
      }
    }
  }

  @Test("What tokens and earlier neurons give to a neuron and to the metric", arguments: names)
  func edges(name: String) throws {
    let judged = try Judged(name)
    let shape = judged.model.shape
    let ids = try judged.whole("clean.ids")
    let asked = try judged.whole("metric")
    let targets = try (0..<shape.layers).map { try judged.whole("edges.\($0).target") }
    // Every neuron before each target would be a node of thousands; some of each layer are.
    let sources = (0..<shape.layers).flatMap { layer in
      ids.indices.flatMap { position in
        [0, 7, shape.hidden - 1].map {
          CircuitEdges.Place(layer: layer, position: position, unit: $0)
        }
      }
    }
    let places = targets.map {
      CircuitEdges.Place(layer: $0[0], position: $0[1], unit: $0[2])
    }
    let nodes = Array(Set(sources + places)).sorted {
      ($0.layer, $0.position, $0.unit) < ($1.layer, $1.position, $1.unit)
    }
    let found = try CircuitEdges(leastWeight: 0).edges(
      between: nodes, scores: nodes.map { _ in 1 }, of: ids,
      Metric(.logit, token: asked[0], versus: asked[1], position: asked[2]), in: judged.model)
    func check(_ target: CircuitEdge.End, _ key: String, below layer: Int) throws {
      let neurons = try judged.numbers("edges.\(key).neurons")
      let tokens = try judged.numbers("edges.\(key).tokens")
      var given: [CircuitEdge.End: Double] = [:]
      for edge in found.edges where edge.target == target { given[edge.source] = edge.value }
      for (token, known) in tokens.enumerated() {
        #expect(
          abs((given[.token(token)] ?? 0) - known) < Self.tolerance * (1 + abs(known)), "\(key)")
      }
      var compared = 0
      for (node, place) in nodes.enumerated() where place.layer < layer {
        let known = neurons[
          (place.layer * ids.count + place.position) * shape.hidden + place.unit]
        #expect(
          abs((given[.node(node)] ?? 0) - known) < Self.tolerance * (1 + abs(known)),
          "\(key), \(place)")
        if known != 0 { compared += 1 }
      }
      #expect(layer == 0 || compared > 0)
    }
    for (layer, place) in places.enumerated() {
      let node = try #require(nodes.firstIndex(of: place))
      try check(.node(node), "\(layer)", below: layer)
    }
    try check(.metric, "metric", below: shape.layers)
  }

  @Test(
    "Each neuron and each head replaced by itself",
    arguments: ["gpt2", "llama-biases"])
  func exact(name: String) throws {
    let judged = try Judged(name)
    let asked = try judged.whole("metric")
    // Circuits ask for the last position, as these two files do.
    let ids = try judged.whole("clean.ids")
    try #require(asked[2] == ids.count - 1)
    let pair = PromptPair(
      clean: ids, patch: try judged.whole("patch.ids"), answer: asked[0], versus: asked[1])
    for (kind, key) in [(UnitKind.neuron, "exact.neurons"), (.head, "exact.heads")] {
      let found = try ExactPatching.scores(of: kind, over: [pair], in: judged.model)
      let known = try judged.numbers(key)
      #expect(
        distance(found.values.flatMap { $0.map(Double.init) }, known).error < 1e-6, "\(kind)")
    }
  }
}
