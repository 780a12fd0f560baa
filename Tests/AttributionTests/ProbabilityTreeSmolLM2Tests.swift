import Attribution
import LanguageModels
import Results
import StrictJSON
import Tensors
import TestSupport
import Testing
import Tokenization

/// The default model's tree, against a float64 run of the Hugging Face implementation by autograd.
@Suite("SmolLM2's probability tree", .serialized)
struct ProbabilityTreeSmolLM2Tests {
  private let stored: JSON

  init() throws { stored = try reference("tree/smollm2.json") }

  private func explain(
    _ type: ScalarType, _ options: [Explainer.Options]
  ) throws -> [Explanation] {
    let explainer = try Explainer(LoadedModel(at: SmolLM2Tests.file, type: type))
    let ids = stored["ids"]?.integers ?? []
    #expect(explainer.loaded.tokenizer.encode("The capital of France is").ids == ids)
    return try options.map {
      try explainer.explain(.init(text: "", ids: ids), $0).explanations[0]
    }
  }

  /// " Paris" at the last token.
  private func options(tolerance: Double) -> Explainer.Options {
    var options = Explainer.Options()
    options.continuation = .answer([stored["token"]?.integer ?? -1])
    options.rule = .certified(tolerance: tolerance)
    return options
  }

  private func part(
    _ kind: AttributionNode.Kind, _ layer: Int, _ found: Explanation
  ) throws -> AttributionNode {
    try #require(found.attributions[layer].parts?.first { $0.kind == kind })
  }

  @Test("Paris to heads, neurons and source tokens, in float64 and float32")
  func paris() throws {
    var wide = options(tolerance: 1e-9)
    wide.depth = .token
    wide.neurons = .all
    let found = try explain(.float64, [wide])[0]
    let chain = try #require(stored["chain"])
    let segments = chain["segments"]?.array ?? []
    #expect(segments.count == 30)
    #expect(
      distance(
        [found.baselineValue, found.modelValue],
        [chain["baseline_value"]?.double ?? .nan, chain["final_value"]?.double ?? .nan]
      ).error < 1e-10)
    for (layer, segment) in zip(found.attributions, segments) {
      #expect(layer.converged == true && (layer.nodes ?? 0) <= 256)
      #expect(abs(layer.value - (segment["value"]?.double ?? .nan)) < 1e-10)
      let all = layer.named
      let isOpen = segment["blocks"]?[0]?["sources"] != nil
      let expected = named(segment).filter { !$0.key.hasPrefix("neuron") }
      let shown = all.filter { part, _ in
        !part.hasPrefix("neuron") && (isOpen || !part.hasPrefix("source"))
      }
      let worst = distance(shown, expected)
      #expect(worst.error < 1e-9, "layer \(layer.layer): off by \(worst)")
    }
    // Blocks 28 and 29 are stored in full.
    for layer in [28, 29] {
      let block = try #require(segments[layer]["blocks"]?[0])
      let mlp = try part(.mlp, layer, found)
      let neurons = (mlp.children ?? []).filter { $0.kind == .neuron }
      #expect(neurons.count == 1536)
      let largest = neurons.sorted { abs($0.value) > abs($1.value) }.prefix(12)
      let known = block["largest_neurons"]?.array ?? []
      #expect(largest.map(\.neuron) == known.map { $0[0]?.integer })
      #expect(
        distance(largest.map(\.value), known.map { $0[1]?.double ?? .nan }).error < 1e-9)
      let sum = neurons.reduce(0) { $0 + $1.value }
      #expect(abs(sum - (block["neurons_sum"]?.double ?? .nan)) < 1e-9)
      #expect(abs(mlp.residual) < 1e-12)
    }
    // The numbers of the last two blocks that a reader sees.
    for (layer, attention, mlp) in [(28, -0.029, 0.089), (29, 0.082, 0.620)] {
      #expect(abs(try part(.attention, layer, found).value - attention) < 5e-4)
      #expect(abs(try part(.mlp, layer, found).value - mlp) < 5e-4)
    }

    let total = found.attributions.reduce(0) { $0 + abs($1.value) }
    for tolerance in [1e-4, 1e-5] {
      var asked = options(tolerance: tolerance)
      asked.depth = .token
      asked.neurons = .all
      let narrow = try explain(.float32, [asked])[0]
      var off = (part: 0.0, residual: 0.0)
      for (one, other) in zip(found.attributions, narrow.attributions) {
        #expect(other.converged == true, "layer \(other.layer), \(other.nodes ?? 0) nodes")
        let known = one.named
        #expect(known.count == other.named.count)
        for (part, value) in other.named {
          off.part = max(off.part, abs(value - (known[part] ?? .nan)))
        }
        for node in (other.parts ?? []).flatMap(\.all) {
          off.residual = max(off.residual, abs(node.residual))
        }
      }
      #expect(off.part < 1e-5 * total, "a float32 part is off by \(off.part / total) of Σ|A|")
      #expect(off.residual < 1e-5 * total, "a float32 sum misses \(off.residual / total) of Σ|A|")
    }
  }

  @Test("100 tokens of ordinary text: every integral converges, nearly all with 16 nodes")
  func ordinary() throws {
    let explainer = try Explainer(LoadedModel(at: SmolLM2Tests.file, type: .float32))
    let ids = try reference("models/smollm2-reference.json")["ordinary"]?["ids"]?.integers ?? []
    var options = Explainer.Options()
    options.continuation = .everyToken
    options.depth = .head
    let result = try explainer.explain(.init(text: "", ids: Array(ids.prefix(101))), options)
    #expect(result.explanations.count == 100)
    var nodes: [Int] = []
    for found in result.explanations {
      let total = found.attributions.reduce(0) { $0 + abs($1.value) }
      #expect(found.attributions.allSatisfy { $0.converged == true })
      nodes += found.attributions.dropFirst().compactMap(\.nodes)
      for node in found.attributions.flatMap({ $0.parts ?? [] }).flatMap(\.all) {
        #expect(abs(node.residual) < 1e-5 * total)
      }
      for layer in found.attributions {
        #expect(
          abs(layer.residual ?? .nan) <= 1e-4 * max(abs(layer.value), 0.01 * total) * (1 + 1e-9))
      }
    }
    // Layers after the first, whose segment starts at a baseline that no state is near.
    #expect(nodes.count == 2900 && nodes.allSatisfy { $0 <= 64 })
    #expect(nodes.filter { $0 == 16 }.count >= 2870 && nodes.filter { $0 > 32 }.count <= 6)
  }

  @Test("Sampled orders of all 30 layers state their error, as main path and as alternative")
  func sampledOrders() throws {
    var sampled = options(tolerance: 1e-4)
    sampled.path = .shapley(orders: 8)
    sampled.seed = 11
    var chain = options(tolerance: 1e-4)
    chain.otherPaths = [.shapley(orders: 8)]
    chain.seed = 11
    let found = try explain(.float32, [sampled, chain])
    let errors = found[0].attributions.compactMap(\.standardError)
    #expect(errors.count == 30 && errors.allSatisfy { $0 > 0 && $0 < 0.5 })
    #expect(abs(found[0].certificate) < 1e-4)
    #expect(found[1].attributions.allSatisfy { $0.standardError == nil })
    let alternative = try #require(found[1].alternatives?.first)
    #expect(alternative.values == found[0].attributions.map(\.value))
    #expect(alternative.standardErrors == errors)
  }

  @Test("Paris along the straight line, and by Shapley values of ten layers")
  func paths() throws {
    var straight = options(tolerance: 1e-9)
    straight.path = .straight
    straight.depth = .block
    var shapley = options(tolerance: 1e-9)
    shapley.path = .shapley(orders: 2)
    shapley.layers = .these(stored["shapley"]?["layers"]?.integers ?? [])
    let found = try explain(.float64, [straight, shapley])
    let segments = stored["straight"]?["segments"]?.array ?? []
    for (layer, segment) in zip(found[0].attributions, segments) {
      #expect(layer.converged == true)
      #expect(abs(layer.value - (segment["value"]?.double ?? .nan)) < 1e-8)
      let worst = distance(layer.named, named(segment))
      #expect(worst.error < 1e-8, "layer \(layer.layer): off by \(worst)")
    }
    let values = stored["shapley"]?["values"]?.numbers ?? []
    #expect(values.count == 10)
    #expect(distance(found[1].attributions.map(\.value), values).error < 1e-10)
    #expect(found[1].attributions.allSatisfy { $0.standardError == nil })
    #expect(
      distance([found[1].baselineValue], [stored["shapley"]?["baseline_value"]?.double ?? .nan])
        .error < 1e-12)

    straight.rule = .certified(tolerance: 1e-4)
    straight.depth = .head
    let narrow = try explain(.float32, [straight, shapley])
    for (wide, other) in zip(found, narrow) {
      let total = wide.attributions.reduce(0) { $0 + abs($1.value) }
      for (one, two) in zip(wide.attributions, other.attributions) {
        #expect(abs(one.value - two.value) < 1e-4 * total)
      }
    }
  }
}
