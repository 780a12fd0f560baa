import Attribution
import LanguageModels
import Results
import StrictJSON
import Tensors
import TestSupport
import Testing

/// Other paths and baselines on the same run, against each asked for alone.
@Suite("Alternatives: paths and baselines as an error bar")
struct AlternativesTests {
  private static let baselines: [Baseline] = [
    .mean, .meanAll, .meanWithoutSink, .zero, .embedding, .finalOf("other"),
  ]

  private func options() -> Explainer.Options {
    var options = Explainer.Options()
    options.continuation = .everyToken
    options.baselineIDs = [9, 41, 17]
    options.rule = .certified(tolerance: 1e-8)
    options.seed = 6
    return options
  }

  @Test(
    "Each is what it would be alone, with its range and its certificate",
    arguments: TreeReference.names, [PathChoice.chain, .straight, .shapley(orders: 4)])
  func alone(name: String, path: PathChoice) throws {
    let model = try TreeReference(name)
    let ids = Array((try model.stored("tree")["ids"]?.integers ?? []).prefix(7))
    let paths = [PathChoice.chain, .straight, .shapley(orders: 4)]
    var together = options()
    together.path = path
    together.otherPaths = paths
    together.otherBaselines = Self.baselines
    if path == .chain { together.depth = .block }
    let found = try model.explainer.explain(.init(text: "", ids: ids), together)
    #expect(found.explanations.count == 6)
    let choices =
      paths.filter { $0 != path }.map { ($0, Baseline.mean) }
      + Self.baselines.filter { $0 != .mean }.map { (path, $0) }
    for (index, choice) in choices.enumerated() {
      var alone = options()
      (alone.path, alone.baseline) = choice
      let single = try model.explainer.explain(.init(text: "", ids: ids), alone)
      for (explanation, one) in zip(found.explanations, single.explanations) {
        let alternative = try #require(explanation.alternatives?[index])
        #expect(alternative.path == choice.0.name && alternative.baseline == choice.1.name)
        let worst = distance(alternative.values, one.attributions.map(\.value))
        #expect(worst.error < 1e-12, "\(name), \(choice): off by \(worst)")
        #expect(abs(alternative.baselineValue - one.baselineValue) < 1e-14)
        #expect(abs(alternative.certificate - one.certificate) < 1e-12)
        let integrates = choice.0 == .straight
        #expect(alternative.nodes == (integrates ? one.attributions.compactMap(\.nodes) : nil))
        #expect(
          alternative.converged == (integrates ? one.attributions.compactMap(\.converged) : nil))
      }
    }
    for explanation in found.explanations {
      let alternatives = try #require(explanation.alternatives)
      #expect(alternatives.count == 7)
      for (layer, attribution) in explanation.attributions.enumerated() {
        let values = [attribution.value] + alternatives.map { $0.values[layer] }
        #expect(attribution.low == values.min() && attribution.high == values.max())
      }
      // Every two of the 8 ways, each with its own name.
      let ways =
        [(path.name + "/mean", explanation.attributions.map(\.value))]
        + alternatives.map { ($0.path + "/" + $0.baseline, $0.values) }
      let correlations = try #require(explanation.rankCorrelations)
      #expect(correlations.count == 28 && Set(ways.map(\.0)).count == 8)
      var next = 0
      for first in ways.indices {
        for second in first + 1..<ways.count {
          #expect(correlations[next].first == ways[first].0)
          #expect(correlations[next].second == ways[second].0)
          #expect(
            correlations[next].spearman == RankAgreement.spearman(ways[first].1, ways[second].1))
          next += 1
        }
      }
    }
  }

  @Test(
    "The stored straight and Shapley values stand beside the chain's",
    arguments: TreeReference.names)
  func stored(name: String) throws {
    let model = try TreeReference(name)
    let paths = try model.stored("paths")
    let orders = try model.stored("orders")
    let straight = try #require(
      paths["cases"]?.array?.first {
        $0["path"]?.string == "straight" && $0["baseline"]?.string == "mean"
          && $0["position"]?.integer == 11
          && $0["layers"]?.array?.count == model.explainer.loaded.model.shape.layers
      })
    let shapley = try #require(orders["cases"]?[0])
    for target in ["prob", "logit-diff", "kl"] {
      var options = try model.options(straight, target)
      options.path = .chain
      options.otherPaths = [.straight, .shapley(orders: 4)]
      let found = try model.explain(paths["ids"]?.integers ?? [], options)
      for (alternative, test) in zip(found.alternatives ?? [], [straight, shapley]) {
        let expected = (test["targets"]?[target]?["segments"]?.array ?? []).map {
          $0["value"]?.double ?? .nan
        }
        #expect(distance(alternative.values, expected).error < 1e-8, "\(alternative.path)")
      }
      #expect(found.alternatives?.count == 2)
    }
  }

  @Test("Where a completion sets the baseline there are other paths but no other baselines")
  func completion() throws {
    let model = try TreeReference("qwen2")
    let width = model.explainer.loaded.model.shape.width
    var options = options()
    options.reading = StateReading(
      .completion, file: "means", start: [Double](repeating: 0.1, count: width)
    ) { states, layer in layer < 1 ? states + 0.01 : states }
    options.otherPaths = [.chain, .straight]
    options.otherBaselines = Self.baselines
    let found = try model.explainer.explain(.init(text: "", ids: [4, 9, 22, 61]), options)
    for explanation in found.explanations {
      #expect(explanation.alternatives?.map(\.path) == ["straight"])
      #expect(explanation.alternatives?.map(\.baseline) == ["means"])
      #expect(explanation.rankCorrelations?.map(\.first) == ["chain/means"])
    }
  }

  @Test("A causal check splits nothing and changes no alternative", arguments: TreeReference.names)
  func checked(name: String) throws {
    let model = try TreeReference(name)
    let ids = Array((try model.stored("tree")["ids"]?.integers ?? []).prefix(5))
    var options = options()
    options.otherPaths = [.straight, .shapley(orders: 4)]
    options.otherBaselines = [.zero, .embedding]
    let plain = try model.explainer.explain(.init(text: "", ids: ids), options)
    options.check = CheckOptions(replacements: [.zero])
    let checked = try model.explainer.explain(.init(text: "", ids: ids), options)
    #expect(plain.explanations.count == 4 && checked.explanations.count == 4)
    for (one, other) in zip(plain.explanations, checked.explanations) {
      #expect(other.checks?.count == 1)
      #expect(one.alternatives == other.alternatives)
      for (layer, same) in zip(one.attributions, other.attributions) {
        #expect(layer.value == same.value)
        #expect(same.parts == nil && same.residual == nil)
        #expect(same.converged == true)
      }
    }
  }
}
