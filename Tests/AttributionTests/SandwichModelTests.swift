import Attribution
import LanguageModels
import Results
import StrictJSON
import Tensors
import TestSupport
import Testing

/// A model with a norm after each branch, against hooks in the Hugging Face implementation.
@Suite("Sandwich norms")
struct SandwichModelTests {
  private let stored: JSON
  private let variants: [JSON]

  init() throws {
    stored = try reference("tree/sandwich.json")
    variants = stored["variants"]?.array ?? []
    #expect(variants.map { $0["norm"]?.string } == ["rms", "layer"])
  }

  /// The stored model with a variant's norms and soft cap put in.
  private func model(_ variant: JSON) throws -> Transformer {
    var model = try #require(
      try TreeReference.network(stored["model"]?.string ?? "") as? Transformer)
    func norm(_ block: JSON, _ branch: String) -> Norm {
      func vector(_ key: String) -> Tensor? {
        (block["\(branch)_\(key)"]?.numbers).flatMap {
          $0.isEmpty ? nil : Tensor($0, [$0.count], .float64)
        }
      }
      return Norm(
        kind: variant["norm"]?.string == "rms" ? .rms : .layer,
        weight: vector("scale") ?? Tensor(repeating: .nan, [model.shape.width], .float64),
        bias: vector("shift"), epsilon: variant["epsilon"]?.double ?? .nan)
    }
    for (layer, block) in (variant["blocks"]?.array ?? []).enumerated() {
      var edited = try #require(model.blocks[layer] as? PreNormBlock)
      edited.attention.outputNorm = norm(block, "attention")
      edited.feedForward.outputNorm = norm(block, "mlp")
      model.blocks[layer] = edited
    }
    model.head?.softCap = variant["cap"]?.double
    return model
  }

  private func explain(
    _ variant: JSON, _ target: Target, _ change: (inout Explainer.Options) -> Void = { _ in }
  ) throws -> Explanation {
    var options = Explainer.Options()
    options.continuation = .positions([stored["position"]?.integer ?? -1])
    options.versus = variant["versus"]?.integer
    options.method.target = target
    options.rule = .certified(tolerance: 1e-10)
    options.depth = target == .probability ? .token : .head
    options.neurons = target == .probability ? .all : .none
    change(&options)
    let result = try TreeReference.explainer(model(variant)).explain(
      .init(text: "", ids: stored["ids"]?.integers ?? []), options)
    return result.explanations[0]
  }

  @Test("The blocks' states and the capped logits are the reference's", arguments: [0, 1])
  func states(index: Int) throws {
    let variant = variants[index]
    let model = try model(variant)
    let ids = stored["ids"]?.integers ?? []
    let position = try #require(stored["position"]?.integer)
    let sites = (0..<model.shape.layers).map { Site.residual($0, .after) }
    let run = try model.run([ids], capturing: Set(sites + [.logits]))
    for (site, expected) in zip(sites, variant["states"]?.array ?? []) {
      let state = try run.activations[site].slice(position..<position + 1, along: 1).values()
      #expect(distance(state, expected.numbers).error < 1e-12)
    }
    let logits = try run.activations[.logits].slice(position..<position + 1, along: 1).values()
    #expect(distance(logits, variant["logits"]?.numbers ?? []).error < 1e-12)
  }

  @Test("Every part of every target, through each branch's norm", arguments: [0, 1])
  func tree(index: Int) throws {
    let variant = variants[index]
    for target in IGLensTests.targets {
      let found = try explain(variant, target)
      #expect(found.target.id == variant["token"]?.integer)
      ProbabilityTreeTests.compare(
        found, variant["targets"]?[target.name],
        "\(variant["norm"]?.string ?? ""), \(target.name)")
    }
  }

  @Test("Pieces normed by a scale of their own would show", arguments: [0, 1])
  func ownScale(index: Int) throws {
    let variant = variants[index]
    let found = try explain(variant, .probability)
    let parts = (found.attributions.first?.parts ?? []).flatMap(\.all)
    for (kind, key) in [(AttributionNode.Kind.head, "heads"), (.neuron, "neurons")] {
      let right = parts.filter { $0.kind == kind }.map(\.value)
      let wrong = variant["scale_of_its_own"]?[key]?.numbers ?? []
      #expect(right.count == wrong.count && !right.isEmpty)
      #expect((zip(right, wrong).map { abs($0 - $1) }.max() ?? 0) > 1e-6)
    }
  }

  @Test(
    "Sums stay sums: heads and shift are attention, neurons and shift the MLP", arguments: [0, 1])
  func sums(index: Int) throws {
    for path in [PathChoice.chain, .straight] {
      for target in IGLensTests.targets {
        let found = try explain(variants[index], target) {
          $0.path = path
          $0.depth = .token
          $0.neurons = .all
        }
        for node in found.attributions.flatMap({ $0.parts ?? [] }).flatMap(\.all) {
          #expect(abs(node.residual) < 1e-12, "\(node.kind) misses \(node.residual)")
          guard node.kind == .attention || node.kind == .mlp else { continue }
          #expect(node.children?.last?.kind == .bias)
        }
      }
    }
  }
}
