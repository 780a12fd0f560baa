import Attribution
import LanguageModels
import Results
import StrictJSON
import Tensors
import TestSupport
import Testing

/// Whether what is said of an integral is so: that it converged, with how many nodes, or that not.
@Suite("Certified integrals")
struct CertifiedGradientTests {
  private func options(_ rule: IntegralRule, _ target: Target = .probability) -> Explainer.Options {
    var options = Explainer.Options()
    options.continuation = .everyToken
    options.depth = .head
    options.neurons = .all
    options.rule = rule
    options.method.target = target
    options.versus = 11
    return options
  }

  private func explain(
    _ model: TreeReference, _ options: Explainer.Options
  ) throws -> [Explanation] {
    let ids = try model.stored("tree")["ids"]?.integers ?? []
    return try model.explainer.explain(.init(text: "", ids: ids), options).explanations
  }

  /// What an error of a layer's integral is measured against.
  private func scale(_ layer: LayerAttribution, _ found: Explanation) -> Double {
    max(abs(layer.value), 0.01 * found.attributions.reduce(0) { $0 + abs($1.value) })
  }

  private func farthest(_ one: NamedParts, _ other: NamedParts) -> Double {
    guard Set(one.keys) == Set(other.keys) else { return .infinity }
    return one.map { abs($0.value - (other[$0.key] ?? .nan)) }.max() ?? 0
  }

  @Test(
    "What converged is that close to the integral, sum and parts alike, at every tolerance",
    arguments: TreeReference.names, [1e-2, 1e-4, 1e-7])
  func truthful(name: String, tolerance: Double) throws {
    let model = try TreeReference(name)
    for target in [Target.probability, .logitDifference, .entropy, .divergence] {
      for baseline in [Baseline.mean, .zero] {
        var asked = options(.certified(tolerance: tolerance), target)
        asked.baseline = baseline
        var exact = asked
        exact.rule = .certified(tolerance: 1e-11)
        for (found, known) in zip(try explain(model, asked), try explain(model, exact)) {
          for (layer, right) in zip(found.attributions, known.attributions) {
            let label = "\(name) at \(found.position), layer \(layer.layer), \(target.name)"
            let scale = scale(layer, found)
            let nodes = try #require(layer.nodes)
            #expect([16, 32, 64, 128, 256, 512, 1024].contains(nodes), "\(label): \(nodes)")
            #expect(layer.converged == true, "\(label)")
            #expect(abs(layer.residual ?? .nan) <= tolerance * scale + 1e-16, "\(label)")
            let off = farthest(layer.named, right.named)
            #expect(off <= tolerance * scale + 1e-13, "\(label): a part is off by \(off)")
          }
        }
      }
    }
  }

  @Test(
    "No part of what converged at 16 nodes moved from 8 by more than the tolerance",
    arguments: TreeReference.names, [1e-1, 1e-2, 1e-3, 1e-4, 1e-6])
  func moves(name: String, tolerance: Double) throws {
    try Self.expectSmallMoves(TreeReference(name).explainer, tolerance, name)
  }

  /// Compares what a certified run calls converged with fixed rules of 8 and 16 nodes.
  static func expectSmallMoves(
    _ explainer: Explainer, _ tolerance: Double, _ label: String
  ) throws {
    let ids = [3, 17, 80, 41, 5, 22]
    func run(_ rule: IntegralRule) throws -> [Explanation] {
      var options = Explainer.Options()
      options.continuation = .everyToken
      options.depth = .head
      options.neurons = .all
      options.rule = rule
      return try explainer.explain(.init(text: "", ids: ids), options).explanations
    }
    let (coarse, fine) = (try run(.fixed(nodes: 8)), try run(.fixed(nodes: 16)))
    var seen = 0
    for (index, found) in try run(.certified(tolerance: tolerance)).enumerated() {
      let total = found.attributions.reduce(0) { $0 + abs($1.value) }
      for (place, layer) in found.attributions.enumerated()
      where layer.converged == true && layer.nodes == 16 {
        let (before, after) = (
          coarse[index].attributions[place].named, fine[index].attributions[place].named
        )
        // With nodes in the angle it is another integral of 16 nodes.
        guard layer.named == after else { continue }
        seen += 1
        let scale = max(abs(layer.value), 0.01 * total)
        let moved = after.map { abs($0.value - (before[$0.key] ?? .nan)) }.max() ?? .nan
        #expect(
          moved <= tolerance * scale * (1 + 1e-9) + 1e-16,
          "\(label), layer \(layer.layer): a part moved \(moved) for \(tolerance * scale)")
      }
    }
    #expect(seen > 0, "\(label): nothing converged at 16 nodes")
  }

  /// A Llama whose parts of each MLP nearly cancel at a position, the bias against the neurons.
  static func cancelling(
    _ size: Double, norm: Norm?, scale: Double
  ) throws -> any LanguageModel {
    var model = try #require(try TreeReference.network("llama-biases") as? Transformer)
    let width = model.shape.width
    var random = SeededGenerator(seed: 12)
    // Sharper outputs, so that 8 nodes are few.
    let sharper = model.unembedding.norm.weight * 5
    model.head?.norm.weight = sharper
    for layer in model.blocks.indices {
      var block = try #require(model.blocks[layer] as? PreNormBlock)
      var network = try #require(block.feedForward as? FeedForward)
      block.attention.outputNorm = norm
      var output = network.output
      // A large direction that all neurons share, taken back by the bias.
      let run = try model.run([[3, 17, 80, 41, 5]], capturing: [.feedForward(layer, .hidden)])
      let hidden = try run.activations[.feedForward(layer, .hidden)]
        .slice(4..<5, along: 1).values()
      let direction = (0..<width).map { _ in size * Double.random(in: -1...1, using: &random) }
      let common = Tensor(
        direction.flatMap { d in hidden.map { $0 < 0 ? -d : d } }, [width, hidden.count], .float64)
      let mass = hidden.reduce(0) { $0 + abs($1) }
      let bias = Tensor(direction.map { -$0 * mass }, [width], .float64)
      output.weight = (output.weight + common) * scale
      output.bias = (output.bias.map { $0 + bias } ?? bias) * scale
      network.output = output
      network.outputNorm = norm
      block.feedForward = network
      model.blocks[layer] = block
    }
    return model
  }

  @Test(
    "Parts that cancel are watched as closely: a bias against all neurons",
    arguments: [1e-1, 1e-2, 1e-3, 1e-4, 1e-5])
  func cancellingBias(tolerance: Double) throws {
    let model = try Self.cancelling(4, norm: nil, scale: 1)
    try Self.expectSmallMoves(
      TreeReference.explainer(model), tolerance, "a cancelling bias")
  }

  @Test(
    "Parts that a branch's own norm enlarges are watched as closely",
    arguments: [Norm.Kind.rms, .layer], [1e-1, 1e-2, 1e-3, 1e-4, 1e-5])
  func enlarged(kind: Norm.Kind, tolerance: Double) throws {
    let width = try TreeReference.network("llama-biases").shape.width
    let model = try Self.cancelling(
      1e6,
      norm: Norm(
        kind: kind, weight: Tensor([Double](repeating: 1.5, count: width), [width], .float64),
        bias: kind == .layer
          ? Tensor([Double](repeating: 0.2, count: width), [width], .float64) : nil,
        epsilon: 1e-24), scale: 1e-9)
    try Self.expectSmallMoves(
      TreeReference.explainer(model), tolerance, "enlarged parts")
  }

  @Test(
    "A tolerance beyond double's digits is not met, and every layer says so",
    arguments: TreeReference.names)
  func impossible(name: String) throws {
    let model = try TreeReference(name)
    for path in [PathChoice.chain, .straight] {
      var asked = options(.certified(tolerance: 1e-20))
      asked.path = path
      asked.continuation = .positions([11])
      let ids = try model.stored("tree")["ids"]?.integers ?? []
      let result = try model.explainer.explain(.init(text: "", ids: ids), asked)
      let found = result.explanations[0]
      #expect(found.attributions.allSatisfy { $0.converged == false })
      #expect(found.attributions.allSatisfy { (16...1024).contains($0.nodes ?? 0) })
      let count = found.attributions.count
      #expect(
        result.warnings.contains(
          "\(count) of \(count) layers' integrals did not meet --tol within 1024 nodes; their "
            + "parts are marked, and --dtype float64 may settle them."))
      // The best that was found is still good.
      asked.rule = .certified(tolerance: 1e-9)
      let known = try model.explainer.explain(.init(text: "", ids: ids), asked).explanations[0]
      for (layer, right) in zip(found.attributions, known.attributions) {
        #expect(farthest(layer.named, right.named) < 1e-8)
      }
    }
  }

  @Test("A fixed rule says its nodes, and claims nothing", arguments: TreeReference.names)
  func fixed(name: String) throws {
    let model = try TreeReference(name)
    for count in [1, 3, 8] {
      let ids = try model.stored("tree")["ids"]?.integers ?? []
      let result = try model.explainer.explain(
        .init(text: "", ids: ids), options(.fixed(nodes: count)))
      #expect(result.method.nodes == count && result.method.tolerance == nil)
      for layer in result.explanations.flatMap(\.attributions) {
        #expect(layer.nodes == count && layer.converged == nil)
      }
    }
    let certified = try model.explainer.explain(
      .init(text: "", ids: [1, 2, 3]), options(.certified(tolerance: 1e-3)))
    #expect(certified.method.nodes == nil && certified.method.tolerance == 1e-3)
  }

  @Test("Equal ends: nothing changes, and its parts cancel", arguments: TreeReference.names)
  func equalEnds(name: String) throws {
    let model = try TreeReference(name)
    var asked = options(.certified(tolerance: 1e-6))
    // At position 0 the mean of the first layer's states is that state.
    asked.continuation = .positions([0])
    let ids = try model.stored("tree")["ids"]?.integers ?? []
    let result = try model.explainer.explain(.init(text: "", ids: ids), asked)
    let first = try #require(result.explanations[0].attributions.first)
    #expect(first.value == 0 && first.converged == true && first.nodes == 16)
    #expect(abs(first.residual ?? .nan) < 1e-14)
    let largest = (first.parts ?? []).map { abs($0.value) }.max() ?? 0
    #expect(largest > 1e-4)
  }

  @Test("What float32 cannot settle is settled in double", arguments: TreeReference.names)
  func promotion(name: String) throws {
    let narrow = try TreeReference(name, .float32)
    let wide = try TreeReference(name)
    let ids = try wide.stored("tree")["ids"]?.integers ?? []
    var asked = options(.certified(tolerance: 1e-6))
    asked.depth = .block
    asked.neurons = .none
    asked.baseline = .zero
    asked.path = .straight
    var promoted = 0
    for target in [Target.probability, .logProbability, .entropy] {
      asked.method.target = target
      let found = try narrow.explainer.explain(.init(text: "", ids: ids), asked).explanations
      let known = try wide.explainer.explain(.init(text: "", ids: ids), asked).explanations
      for (one, other) in zip(found, known) {
        let total = other.attributions.reduce(0) { $0 + abs($1.value) }
        for (layer, right) in zip(one.attributions, other.attributions) {
          // float32 itself stops at 64 nodes.
          if (layer.nodes ?? 0) > 64 { promoted += 1 }
          #expect(right.converged == true)
          #expect(farthest(layer.named, right.named) < 2e-5 * total + 1e-6)
        }
      }
    }
    #expect(promoted > 0, "\(name): nothing needed double")
  }
}
