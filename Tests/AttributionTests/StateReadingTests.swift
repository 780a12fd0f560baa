import Attribution
import LanguageModels
import Results
import StrictJSON
import Tensors
import TestSupport
import Testing

/// States read with something added: mean completion, and translated states.
@Suite("Readings of states against their definition")
struct StateReadingTests {
  /// h_ℓ = r_ℓ + Σ_(k>ℓ) ū_k.
  private func completion(_ stored: JSON) -> StateReading {
    let means = (stored["update_means"]?.array ?? []).map(\.numbers)
    return StateReading(
      .completion, file: "means.safetensors", start: stored["embedding_mean"]?.numbers
    ) { states, layer in
      means.dropFirst(layer + 1).reduce(states) { $0 + Tensor($1, [$1.count], states.type) }
    }
  }

  /// h_ℓ = r_ℓ + A r_ℓ + b with the translator of the next block's input.
  private func translation(_ stored: JSON) -> StateReading {
    let translators = stored["translators"]?.array ?? []
    return StateReading(.translator, file: "lens.safetensors") { states, layer in
      guard layer + 1 < translators.count else { return states }
      let shift = translators[layer + 1]["b"]?.numbers ?? []
      let matrix = Tensor(
        translators[layer + 1]["A"]?.numbers ?? [], [shift.count, shift.count], states.type)
      return states + states.linear(matrix, bias: Tensor(shift, [shift.count], states.type))
    }
  }

  private func compare(
    _ name: String, _ key: String, _ path: PathChoice = .chain,
    reading: (JSON) -> StateReading
  ) throws {
    let model = try TreeReference(name)
    let stored = try model.stored("paths")
    let described = try #require(stored[key])
    let cases = described["cases"]?.array ?? []
    #expect(!cases.isEmpty)
    for test in cases {
      for target in ["prob", "logit-diff", "kl"] {
        var options = try model.options(test, target)
        options.reading = reading(described)
        options.depth = .head
        let found = try model.explain(stored["ids"]?.integers ?? [], options)
        ProbabilityTreeTests.compare(
          found, test["targets"]?[target],
          "\(name) at \(test["position"]?.integer ?? -1), \(key), layers "
            + "\(test["layers"]?.integers ?? []), \(target)")
        #expect(abs(found.certificate) < 1e-11 * (1 + abs(found.modelValue)))
      }
    }
  }

  @Test(
    "A mean completion's tree, with the part that takes the means back",
    arguments: TreeReference.names)
  func meanCompletion(name: String) throws {
    try compare(name, "completion", reading: completion)
  }

  @Test("Translated states' tree, with what no block produced", arguments: TreeReference.names)
  func translated(name: String) throws {
    try compare(name, "translated", reading: translation)
  }

  @Test("The result names the file that states are read with, and the baseline it sets")
  func described() throws {
    let model = try TreeReference("qwen2")
    let stored = try model.stored("paths")
    var options = Explainer.Options()
    options.continuation = .positions([4])
    options.reading = completion(try #require(stored["completion"]))
    let ids = stored["ids"]?.integers ?? []
    let mean = try model.explainer.explain(.init(text: "", ids: ids), options).method
    #expect(mean.completion == "means.safetensors" && mean.lens == nil)
    #expect(mean.baseline == "means")
    options.reading = translation(try #require(stored["translated"]))
    let lens = try model.explainer.explain(.init(text: "", ids: ids), options).method
    #expect(lens.lens == "lens.safetensors" && lens.completion == nil)
    #expect(lens.baseline == "mean")
  }

  @Test(
    "On a straight line the parts that no block made still complete every layer",
    arguments: TreeReference.names)
  func straight(name: String) throws {
    let model = try TreeReference(name)
    let stored = try model.stored("paths")
    for (key, reading) in [
      ("completion", completion), ("translated", translation),
    ] {
      var options = Explainer.Options()
      options.continuation = .positions([11])
      options.rule = .certified(tolerance: 1e-9)
      options.reading = reading(try #require(stored[key]))
      options.path = .straight
      let whole = try model.explain(stored["ids"]?.integers ?? [], options)
      options.depth = .block
      let split = try model.explain(stored["ids"]?.integers ?? [], options)
      // The updates scored whole, and as sums of their parts.
      for (one, other) in zip(whole.attributions, split.attributions) {
        #expect(one.parts == nil && one.residual == nil)
        #expect(one.converged == true && other.converged == true)
        #expect(abs(one.value - other.value) < 1e-11)
      }
      let total = split.attributions.reduce(0) { $0 + abs($1.value) }
      #expect(abs(split.certificate) < 1e-9 * max(abs(split.sum), total))
    }
  }
}
