import Attribution
import Circuits
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing

@Suite("Circuits run")
struct CircuitSweepTests {
  private let method = AttributionMethod(name: "random")

  /// Which number of a site's values belongs to which unit: heads have several each.
  private func width(_ kind: UnitKind, _ model: any LanguageModel) -> Int {
    kind == .head ? model.shape.headWidth : 1
  }

  @Test(
    "F(C) is the mean of runs whose values are replaced one by one",
    arguments: CircuitFixture.families, UnitKind.allCases)
  func againstReplacement(fixture: CircuitFixture, kind: UnitKind) throws {
    let model = try fixture.model()
    let set = randomScores(kind, model).above(0.4)
    let wide = width(kind, model)
    let sites = (0..<model.shape.layers).map(kind.site)
    let patches = try sites.map { site in
      try fixture.pairs.map { try slowValues(site, $0.patch ?? [], in: model) }
    }
    for ablation in Ablation.allCases {
      var expected = 0.0
      for (index, pair) in fixture.pairs.enumerated() {
        var changes: [Site: ([Double]) -> [Double]] = [:]
        for (layer, site) in sites.enumerated() {
          changes[site] = { values in
            values.indices.map { place in
              if set.isIn[layer][place / wide] { return values[place] }
              switch ablation {
              case .zero: return 0
              case .resample: return patches[layer][index][place]
              case .mean:
                return patches[layer].reduce(0) { $0 + $1[place] } / Double(patches[layer].count)
              }
            }
          }
        }
        expected += try slowMetric(pair, in: model, changing: changes) / 3
      }
      let sweep = try CircuitSweep(of: kind, over: fixture.pairs, replacedBy: ablation, in: model)
      let found = try sweep.metric(of: set)
      #expect(abs(found - expected) < 1e-10 * (1 + abs(expected)), "\(ablation)")
      #expect(abs(found - sweep.full) > 1e-9, "the set changes nothing, so this shows nothing")
    }
  }

  @Test(
    "The whole has faithfulness 1 and completeness 0, the empty circuit 0 and 1",
    arguments: CircuitFixture.families)
  func ends(fixture: CircuitFixture) throws {
    let model = try fixture.model()
    let plain = try fixture.pairs.reduce(0) { try $0 + slowMetric($1, in: model) / 3 }
    for ablation in Ablation.allCases {
      let sweep = try CircuitSweep(of: .mlp, over: fixture.pairs, replacedBy: ablation, in: model)
      #expect(abs(sweep.full - plain) < 1e-12 * (1 + abs(plain)))
      let curve = try sweep.curve(
        of: randomScores(.mlp, model), by: .topAbsolute([1, 5, 40, 100]), method: method)
      #expect(curve.points.map(\.nodes) == [0, 1, 5, 40, 100, sweep.unitCount])
      let (first, last) = (curve.points[0], curve.points[5])
      #expect(first.faithfulness == 0 && first.completeness == 1)
      #expect(last.faithfulness == 1 && last.completeness == 0)
      #expect(curve.full == sweep.full && curve.empty == sweep.empty)
    }
  }

  @Test(
    "Completeness is the faithfulness of what is left", arguments: CircuitFixture.families)
  func complement(fixture: CircuitFixture) throws {
    let model = try fixture.model()
    let sweep = try CircuitSweep(of: .neuron, over: fixture.pairs, in: model)
    let scores = randomScores(.neuron, model)
    let curve = try sweep.curve(of: scores, by: .topSigned([30]), method: method)
    let left = scores.top(30, signed: true).complement
    #expect(left.count == sweep.unitCount - 30)
    let share = try (sweep.metric(of: left) - sweep.empty) / (sweep.full - sweep.empty)
    #expect(curve.points[1].completeness == share)
    #expect(curve.points[1].faithfulness != share)
  }

  @Test(
    "Units that are given their own values change nothing, bit by bit",
    arguments: CircuitFixture.families)
  func noChange(fixture: CircuitFixture) throws {
    let model = try fixture.model(.float32)
    let same = fixture.pairs.map { pair in
      var same = pair
      same.patch = pair.clean
      return same
    }
    for kind in UnitKind.allCases {
      let sweep = try CircuitSweep(of: kind, over: same, replacedBy: .resample, in: model)
      #expect(sweep.empty == sweep.full)
      #expect(try sweep.metric(of: randomScores(kind, model).above(0.5)) == sweep.full)
      // Nothing lies between the ends, so there is no share of it.
      let curve = try sweep.curve(
        of: randomScores(kind, model), by: .topAbsolute([3]), method: method)
      #expect(curve.points.allSatisfy { $0.faithfulness == nil && $0.completeness == nil })
      #expect(curve.areas == nil)
    }
  }

  @Test("Prompts divided over several batches give what they give together")
  func batches() throws {
    let model = try CircuitFixture("llama-grouped-untied").model()
    let pairs = CircuitFixture("").pairs
    for ablation in Ablation.allCases {
      let set = randomScores(.neuron, model).above(0.5)
      let found = try [4096, 14, 1].map {
        try CircuitSweep(
          of: .neuron, over: pairs, replacedBy: ablation, in: model, tokensAtOnce: $0
        ).metric(of: set)
      }
      #expect(abs(found[1] - found[0]) < 1e-12 && abs(found[2] - found[0]) < 1e-12)
    }
  }

  @Test("Summed positions replace a unit everywhere, with one mean over all tokens of all lengths")
  func summed() throws {
    let model = try CircuitFixture("gpt2").model()
    var pairs = CircuitFixture("").pairs
    pairs[1].clean.removeFirst()
    pairs[1].patch?.removeFirst()
    let set = randomScores(.neuron, model, sums: true).above(0.3)
    let units = model.shape.hidden
    var changes: [Site: ([Double]) -> [Double]] = [:]
    for layer in 0..<model.shape.layers {
      let site = UnitKind.neuron.site(layer)
      let seen = try pairs.map { try slowValues(site, $0.patch ?? [], in: model) }
      let tokens = seen.reduce(0) { $0 + $1.count } / units
      let means = (0..<units).map { unit in
        seen.reduce(0) { sum, values in
          stride(from: unit, to: values.count, by: units).reduce(sum) { $0 + values[$1] }
        } / Double(tokens)
      }
      changes[site] = { values in
        values.indices.map { set.isIn[layer][$0 % units] ? values[$0] : means[$0 % units] }
      }
    }
    let expected = try pairs.reduce(0) {
      try $0 + slowMetric($1, in: model, changing: changes) / 3
    }
    let sweep = try CircuitSweep(of: .neuron, over: pairs, summingPositions: true, in: model)
    #expect(abs(try sweep.metric(of: set) - expected) < 1e-10)
    #expect(throws: CircuitError.self) { try CircuitSweep(of: .neuron, over: pairs, in: model) }
  }

  // MARK: - Passes

  /// A model that counts its runs.
  private struct Counted: LanguageModel {
    final class Counter { var runs = 0 }
    let inner: any LanguageModel
    let counter = Counter()
    var shape: ModelShape { inner.shape }
    var sites: Set<Site> { inner.sites }
    var head: Unembedding? { inner.head }
    var type: ScalarType { inner.type }
    var device: Device { inner.device }

    func forward(_ ids: [[Int]], cache: KeyValueCache?, pass: Pass) -> Tensor {
      counter.runs += 1
      return inner.forward(ids, cache: cache, pass: pass)
    }
  }

  @Test("A curve of K circuits is 3 + 2K runs over all prompts at once, 2 + 2K with zeros")
  func passes() throws {
    for (ablation, shared) in [(Ablation.mean, 3), (.zero, 2), (.resample, 3)] {
      let model = Counted(inner: try CircuitFixture("gpt2").model(.float32))
      let scores = randomScores(.neuron, model)
      let sweep = try CircuitSweep(
        of: .neuron, over: CircuitFixture("").pairs, replacedBy: ablation, in: model)
      #expect(model.counter.runs == shared)
      let selection = CircuitSelection(.topAbsolute, steps: 6, of: scores)
      let curve = try sweep.curve(of: scores, by: selection, method: method)
      #expect(curve.points.count == 8)
      #expect(model.counter.runs == shared + 2 * 6)
      #expect(curve.curvePasses == PassCount(forward: Double(shared + 12), backward: 0))
    }
  }

  // MARK: - Refusals

  @Test("Prompts that do not fit are refused, each with its remedy")
  func refusals() throws {
    let model = try CircuitFixture("gpt2").model()
    let good = CircuitFixture("").pairs
    func refusal(
      _ kind: UnitKind = .neuron, _ ablation: Ablation = .mean,
      _ change: (inout [PromptPair]) -> Void
    ) -> String? {
      var pairs = good
      change(&pairs)
      do {
        _ = try CircuitSweep(of: kind, over: pairs, replacedBy: ablation, in: model)
        return nil
      } catch {
        return "\(error)"
      }
    }
    #expect(refusal { _ in } == nil)
    #expect(refusal(.neuron, .zero) { $0[0].patch = nil } == nil)
    #expect(refusal { $0 = [] } == "There are no prompts; give at least one.")
    #expect(
      refusal { $0[1].patch?.removeLast() }
        == "Prompt 2 has 7 tokens and its changed prompt 6; positions can only be exchanged between "
        + "texts of equal length.")
    #expect(
      refusal { $0[2].patch = nil }
        == "Prompt 3 has no changed prompt, which values are to be taken from; give one (--contrast), or "
        + "ablate to zero and score without pairs.")
    #expect(
      refusal {
        $0[2].clean.removeFirst()
        $0[2].patch?.removeFirst()
      }
        == "The prompts have 6 to 7 tokens, and positions can only be told apart in prompts of one "
        + "length; sum the positions, or keep prompts of one length.")
    #expect(
      refusal { $0[2].versus = nil }
        == "Some prompts have a second answer and others have none; give all of them one, or none.")
    let mamba = try CircuitFixture("mamba").model()
    #expect(
      throws: CircuitError(
        .usage,
        "No block of mamba shows the site 'feed-forward.hidden', so it has no units of kind neuron; choose "
          + "another kind (telescope inspect lists the sites).")
    ) {
      try CircuitSweep(of: .neuron, over: good, in: mamba)
    }
    let sweep = try CircuitSweep(of: .head, over: good, in: model)
    #expect(
      throws: CircuitError(
        .usage,
        "The scores are of kind neuron with positions apart and the prompts of kind head with positions "
          + "apart; score units of the same kind on prompts of the same length.")
    ) {
      try sweep.curve(of: randomScores(.neuron, model), by: .topAbsolute([1]), method: method)
    }
    #expect(throws: CircuitError.self) {
      try sweep.curve(
        of: randomScores(.head, model, positions: 6), by: .topAbsolute([1]), method: method)
    }
  }
}
