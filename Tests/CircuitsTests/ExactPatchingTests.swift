import Attribution
import Circuits
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing

@Suite("Units patched one at a time")
struct ExactPatchingTests {
  /// m(clean) − m(do v = v′) of each unit, by whole runs of one prompt at a time.
  private func slow(
    _ units: [UnitPlace], _ kind: UnitKind, _ pairs: [PromptPair], _ model: any LanguageModel
  ) throws -> [Double] {
    let wide = kind == .head ? model.shape.headWidth : 1
    let count = kind.count(in: model.shape)
    return try units.map { unit in
      try pairs.reduce(0.0) { sum, pair in
        let site = kind.site(unit.layer)
        let patch = try pair.patch.map { try slowValues(site, $0, in: model) }
        let patched = try slowMetric(
          pair, in: model,
          changing: [
            site: { values in
              values.indices.map { place in
                let (position, number) = (place / (count * wide), place / wide % count)
                guard number == unit.unit, unit.position ?? position == position else {
                  return values[place]
                }
                return patch?[place] ?? 0
              }
            }
          ])
        return try sum + (slowMetric(pair, in: model) - patched) / Double(pairs.count)
      }
    }
  }

  private func drawn(
    _ kind: UnitKind, _ model: any LanguageModel, _ count: Int
  ) -> [UnitPlace] {
    var random = SeededGenerator(seed: 11)
    return (0..<count).map { index in
      UnitPlace(
        layer: Int.random(in: 0..<model.shape.layers, using: &random),
        position: index % 4 == 3 ? nil : Int.random(in: 0..<7, using: &random),
        unit: Int.random(in: 0..<kind.count(in: model.shape), using: &random))
    }
  }

  @Test(
    "Rows that begin at a unit's layer give what whole runs give",
    arguments: CircuitFixture.families, UnitKind.allCases)
  func againstWholeRuns(fixture: CircuitFixture, kind: UnitKind) throws {
    let model = try fixture.model()
    let units = drawn(kind, model, 12)
    let found = try ExactPatching.effects(of: units, kind, over: fixture.pairs, in: model)
    let expected = try slow(units, kind, fixture.pairs, model)
    for (found, expected) in zip(found.effects, expected) {
      #expect(abs(found - expected) < 1e-10)
    }
    #expect(expected.contains { abs($0) > 1e-9 })
  }

  @Test("Without a changed prompt a unit is set to zero, and batches do not matter")
  func zero() throws {
    let model = try CircuitFixture("llama-grouped-untied").model()
    let pairs = CircuitFixture("").pairs.map { PromptPair(clean: $0.clean, answer: $0.answer) }
    for kind in [UnitKind.neuron, .head] {
      let units = drawn(kind, model, 12)
      let expected = try slow(units, kind, pairs, model)
      for size in [1, 21, 1024] {
        let found = try ExactPatching.effects(
          of: units, kind, over: pairs, in: model, tokensAtOnce: size)
        #expect(zip(found.effects, expected).allSatisfy { abs($0 - $1) < 1e-10 })
      }
    }
  }

  @Test(
    "Scores of all heads are their effects, and what comes after the metric's position has none")
  func scores() throws {
    let model = try CircuitFixture("gpt2").model()
    let pairs = CircuitFixture("").pairs
    let scores = try ExactPatching.scores(of: .head, over: pairs, in: model)
    #expect(scores.values.map(\.count) == model.shape.allLayers { _ in 7 * model.shape.heads })
    let units = scores.listed(scores.top(scores.count))
    #expect(units.count == scores.count)
    let expected = try slow(units.prefix(9).map(\.place), .head, pairs, model)
    for (unit, expected) in zip(units, expected) {
      #expect(abs(Double(unit.score) - expected) < 1e-6)
    }
    // The first token of every prompt is as in its changed prompt.
    #expect((0..<model.shape.heads).allSatisfy { abs(scores.values[0][$0]) < 1e-12 })
    let summed = try ExactPatching.scores(
      of: .head, over: pairs, in: model, summingPositions: true)
    #expect(summed.positions == 1 && summed.count == model.shape.layers * model.shape.heads)
  }

  @Test("Runs are counted: the prompt, the changed one, and what is left of each row")
  func passes() throws {
    let model = try CircuitFixture("llama-grouped-untied").model()
    let depth = Double(model.shape.layers)
    let units = [
      UnitPlace(layer: 0, position: 0, unit: 0),
      UnitPlace(layer: model.shape.layers - 1, position: 3, unit: 1),
    ]
    let pairs = CircuitFixture("").pairs
    let found = try ExactPatching.effects(of: units, .neuron, over: pairs, in: model)
    #expect(abs(found.passes.forward - (2 + 1 + 1 / depth)) < 1e-12)
    #expect(found.passes.backward == 0)
  }

  @Test("Scores that are the effects agree with them wholly, opposite ones not at all")
  func agreement() throws {
    let model = try CircuitFixture("gpt2").model()
    let pairs = CircuitFixture("").pairs
    var scores = try ExactPatching.scores(of: .head, over: pairs, in: model)
    let same = try ScoreAgreement(of: scores, onSample: 20, seed: 3, over: pairs, in: model)
    #expect(same.units.count == 20 && Set(same.units).count == 20)
    #expect(try #require(same.pearson) > 1 - 1e-9)
    #expect(try #require(same.spearman) > 1 - 1e-9)
    scores.values = scores.values.map { $0.map { -$0 * $0 * $0 } }
    let opposite = try ScoreAgreement(of: scores, onSample: 20, seed: 3, over: pairs, in: model)
    #expect(opposite.units == same.units)
    #expect(try #require(opposite.spearman) < -1 + 1e-9)
    let (pearson, plain) = (try #require(opposite.pearson), opposite.effects)
    #expect(pearson < 0 && pearson > -1)
    #expect(plain == same.effects)
    let other = try ScoreAgreement(of: scores, onSample: 20, seed: 4, over: pairs, in: model)
    #expect(other.units != same.units)
    let all = try ScoreAgreement(of: scores, onSample: 10_000, seed: 4, over: pairs, in: model)
    #expect(all.units.count == scores.count)
  }

  @Test("Units that do not exist are refused")
  func refusals() throws {
    let model = try CircuitFixture("gpt2").model()
    func refusal(_ unit: UnitPlace) -> String? {
      do {
        _ = try ExactPatching.effects(
          of: [unit], .head, over: CircuitFixture("").pairs, in: model)
        return nil
      } catch {
        return "\(error)"
      }
    }
    #expect(
      refusal(UnitPlace(layer: 9, position: 0, unit: 0))
        == "There is no layer 9 with units of kind head here; there are layers "
        + (0..<model.shape.layers).map(String.init).joined(separator: ", ") + ".")
    #expect(
      refusal(UnitPlace(layer: 0, position: 0, unit: 99))
        == "There is no unit 99 of kind head here; there are units 0 to \(model.shape.heads - 1).")
    #expect(
      refusal(UnitPlace(layer: 0, position: 7, unit: 0))
        == "There is no position 7 here; there are positions 0 to 6.")
  }
}

extension ModelShape {
  fileprivate func allLayers<Value>(_ make: (Int) -> Value) -> [Value] { (0..<layers).map(make) }
}
