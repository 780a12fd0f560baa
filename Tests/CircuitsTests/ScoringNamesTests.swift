import Attribution
import Circuits
import LanguageModels
import Results
import Testing

@Suite("Ways to score, by name")
struct ScoringNamesTests {
  @Test("Each name gives the scoring of that name", arguments: NodeScoring.names)
  func names(name: String) throws {
    let scoring = try #require(NodeScoring(name, steps: 7, seed: 3))
    #expect(scoring.name == name)
    let model = try CircuitFixture("gpt2").model()
    let pairs = CircuitFixture("").pairs
    let found = try scoring.description(of: pairs, in: model)
    #expect(found.name == name)
    #expect(found.baseline == (name == "random" ? nil : name == "relp" ? "zero" : "contrast"))
    #expect(found.steps == (["ig-activations", "conductance", "eap-ig"].contains(name) ? 7 : nil))
    #expect(found.seed == (name == "random" ? 3 : nil))
    let alone = pairs.map { PromptPair(clean: $0.clean, answer: $0.answer, versus: $0.versus) }
    let start = try scoring.description(of: alone, in: model).baseline
    #expect(start == (name == "random" ? nil : "zero"))
  }

  @Test("Names that are none, and what is chosen beside a name")
  func choices() throws {
    #expect(NodeScoring("ig") == nil)
    #expect(NodeScoring("relp", rules: .cpLRP) == .relp(.cpLRP))
    #expect(NodeScoring("relp-paired", at: .patch) == .relp(.relp, paired: .patch))
    #expect(NodeScoring("atp", at: .patch) == .attributionPatching(at: .patch))
    #expect(NodeScoring("eap-ig") == .pathAverage(steps: 10))
  }

  @Test("Scores with positions summed are the sums, the mean over prompts of all lengths")
  func summed() throws {
    let model = try CircuitFixture("llama-grouped-untied").model()
    var pairs = CircuitFixture("").pairs
    pairs[2].clean.removeLast(2)
    pairs[2].patch?.removeLast(2)
    pairs[2].patch?[1] = 9
    for scoring in [NodeScoring.relp(), .attributionPatching(), .conductance(steps: 3)] {
      let found = try scoring.scores(
        of: .neuron, over: pairs, in: model, summingPositions: true)
      #expect(found.sumsPositions && found.positions == 1)
      let apart = try pairs.map { try scoring.scores(of: .neuron, over: [$0], in: model) }
      #expect(apart.map(\.positions) == [7, 7, 5])
      for layer in found.values.indices {
        for unit in 0..<found.units {
          let expected = apart.reduce(0.0) { sum, scores in
            stride(from: unit, to: scores.values[layer].count, by: scores.units).reduce(sum) {
              $0 + Double(scores.values[layer][$1]) / 3
            }
          }
          #expect(abs(Double(found.values[layer][unit]) - expected) < 1e-5)
        }
      }
    }
    #expect(throws: CircuitError.self) {
      try NodeScoring.relp().scores(of: .neuron, over: pairs, in: model)
    }
  }

  @Test("Random scores are those of the seed, between −1 and 1")
  func random() throws {
    let model = try CircuitFixture("gpt2").model()
    let pairs = CircuitFixture("").pairs
    func scores(_ seed: Int, _ sums: Bool = false) throws -> UnitScores {
      try NodeScoring.random(seed: seed).scores(
        of: .head, over: pairs, in: model, summingPositions: sums)
    }
    #expect(try scores(1) == scores(1))
    #expect(try scores(1) != scores(2))
    let all = try scores(1).values.joined()
    #expect(all.count == 7 * model.shape.layers * model.shape.heads)
    #expect(
      all.contains { $0 < -0.3 } && all.contains { $0 > 0.3 } && all.allSatisfy { abs($0) <= 1 })
    #expect(try scores(1, true).count == model.shape.layers * model.shape.heads)
  }

  @Test("Pairs are asked for where a way compares two texts")
  func unpaired() throws {
    let model = try CircuitFixture("gpt2").model()
    #expect(
      throws: CircuitError(
        .usage,
        "Prompt 1 has no changed prompt, which values are to be taken from; give one (--contrast), or ablate "
          + "to zero and score without pairs.")
    ) {
      try NodeScoring.relp(paired: .clean).scores(
        of: .neuron, over: [PromptPair(clean: [1, 2], answer: 3)], in: model)
    }
  }
}
