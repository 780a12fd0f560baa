import Attribution
import Foundation
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing

/// Blocks that are no plain pre-norm ones, and heads with a layer before their norm, against the slow
/// tree.
@Suite("Rules of post-norm blocks, experts, mixers and masked heads")
struct BlockRuleTests {
  /// Post-norm encoders with a masked-language-model head, mixtures and a state-space model.
  static let models = [
    "bert", "roberta", "albert", "distilbert", "mpnet", "electra-generator", "mixtral", "qwen2-moe",
    "mamba", "gpt-neox", "olmo2", "gemma2", "stablelm-parallel",
  ]
  private static let ids = [5, 17, 31, 3, 11, 17, 30, 29]
  private static let position = 4

  private func options(_ model: any LanguageModel) -> Explainer.Options {
    var options = Explainer.Options()
    options.continuation = .positions([Self.position])
    options.baseline = .zero
    options.rule = .certified(tolerance: 1e-9)
    if case .branches = model.rule(of: 0) {
      options.depth = .token
      options.neurons = .all
    } else {
      options.depth = .block
    }
    return options
  }

  @Test("Every part of every layer is the slow tree's", arguments: models)
  func parts(name: String) throws {
    let model = try TreeReference.network(name)
    let slow = try SlowTree(model, Self.ids, at: Self.position)
    // From the zero state a norm turns on within √ε of it: panels halve towards zero.
    let rule = Quadrature.gaussLegendre(24)
    let ends = [0] + (0..<24).reversed().map { pow(0.5, Double($0)) }
    var nodes: [Double] = []
    var weights: [Double] = []
    for (low, high) in zip(ends, ends.dropFirst()) {
      nodes += rule.nodes.map { low + (high - low) * $0 }
      weights += rule.weights.map { (high - low) * $0 }
    }
    let result = try TreeReference.explainer(model)
      .explain(.init(text: "", ids: Self.ids), options(model))
    let found = result.explanations[0]
    #expect(abs(found.certificate) < 1e-12)
    for layer in found.attributions {
      #expect(layer.converged == true, "\(name), layer \(layer.layer) is open")
      let first = layer.layer == 0
      let expected = try slow.scores(
        of: layer.layer, token: found.target.id,
        from: first ? Array(repeating: 0, count: model.shape.width) : nil, nodes: nodes,
        weights: weights)
      let worst = distance(layer.named, expected)
      #expect(worst.error < 1e-8, "\(name), layer \(layer.layer): \(worst)")
      #expect(abs(layer.residual ?? .nan) < 1e-8)
    }
  }

  @Test("A part that misses the block's own norms would show", arguments: ["bert", "albert"])
  func normsMatter(name: String) throws {
    let model = try TreeReference.network(name)
    let result = try TreeReference.explainer(model)
      .explain(.init(text: "", ids: Self.ids), options(model))
    for layer in result.explanations[0].attributions {
      let left = layer.named["residual \(layer.layer)"] ?? 0
      #expect(abs(left) > 1e-5, "the residual part of \(name) is nothing at layer \(layer.layer)")
    }
  }

  @Test(
    "Through a head's own layer, integrals by any estimator are the observed changes",
    arguments: ["bert", "distilbert"], [Target.probability, .logProbability, .divergence])
  func estimators(name: String, target: Target) throws {
    let model = try TreeReference.network(name)
    let explainer = try TreeReference.explainer(model)
    func values(_ estimator: Estimator) throws -> [Double] {
      var options = Explainer.Options()
      options.continuation = .positions([Self.position])
      options.baseline = .mean
      options.method.target = target
      options.method.estimator = estimator
      return try explainer.explain(.init(text: "", ids: Self.ids), options).explanations[0]
        .attributions.map(\.value)
    }
    let observed = try values(.observed)
    #expect(distance(try values(.gauss(nodes: 96)), observed).error < 1e-9)
    #expect(distance(try values(.adaptive(tolerance: 1e-8)), observed).error < 1e-7)
    #expect(distance(try values(.gradient(steps: 512)), observed).error < 1e-4)
    #expect(observed.contains { abs($0) > 1e-3 })
  }

  @Test("The last state's reading is the model's own probability", arguments: ["bert", "mpnet"])
  func model(name: String) throws {
    let model = try TreeReference.network(name)
    var options = Explainer.Options()
    options.continuation = .everyToken
    let result = try TreeReference.explainer(model)
      .explain(.init(text: "", ids: Self.ids), options)
    let logits = try model.run([Self.ids], capturing: [.logits]).activations[.logits]
    let probabilities = try logits.softmax(along: -1).values()
    #expect(result.explanations.map(\.position) == Array(Self.ids.indices))
    for (position, explanation) in result.explanations.enumerated() {
      #expect(explanation.target.id == Self.ids[position])
      let own = probabilities[position * model.shape.vocabulary + Self.ids[position]]
      #expect(abs(explanation.modelValue - own) < 1e-13)
      #expect(abs(explanation.baselineValue + explanation.sum - own) < 1e-12)
    }
  }

  @Test("A model without heads goes down to blocks, and says so")
  func noHeads() throws {
    let explainer = try TreeReference.explainer(TreeReference.network("mamba"))
    var options = Explainer.Options()
    options.continuation = .positions([2])
    for depth in [Depth.head, .token] {
      options.depth = depth
      #expect {
        _ = try explainer.explain(.init(text: "", ids: Self.ids), options)
      } throws: {
        "\($0)"
          == "No block of mamba has attention heads, so its parts end at blocks; use --depth block."
      }
    }
  }

  @Test("What an encoder cannot be asked is refused with what can")
  func refusals() throws {
    let explainer = try TreeReference.explainer(TreeReference.network("bert"))
    func message(_ change: (inout Explainer.Options) -> Void) -> String {
      var options = Explainer.Options()
      change(&options)
      do {
        _ = try explainer.explain(.init(text: "", ids: Self.ids), options)
        return "nothing was thrown"
      } catch { return "\(error)" }
    }
    let none =
      "tiny fills in masks and the prompt has none; write one where the prediction is to be made, or "
      + "name a place with --position."
    #expect(message { _ in } == none)
    #expect(message { $0.continuation = .answer([3]) } == none)
    #expect(
      message {
        $0.continuation = .positions([2])
        $0.check = CheckOptions()
      }
        == "--check replaces a part at one position and runs on from there, and in tiny every position "
        + "sees every other; leave --check out.")
    #expect(
      message {
        $0.continuation = .positions([2])
        $0.contrast = .init(text: "", ids: [1, 2])
      }
        == "--contrast compares one continuation after two prompts, and tiny continues none; explain the "
        + "two texts one by one.")
    var options = Explainer.Options()
    options.continuation = .positions([2])
    #expect {
      _ = try explainer.directLogits(.init(text: "", ids: Self.ids), options)
    } throws: {
      "\($0)"
        == "Direct logit attribution needs a head that is linear after its norm; this model's has "
        + "a nonlinear layer before it: use telescope explain."
    }
  }
}
