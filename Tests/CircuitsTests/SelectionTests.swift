import Attribution
import Circuits
import Foundation
import Results
import Testing

@Suite("Nodes chosen by score")
struct SelectionTests {
  private let scores = UnitScores(
    kind: .neuron, values: [[0.5, -2, 0, 0.25], [], [1, -0.25, -0.0, 3]], units: 2,
    passes: PassCount(forward: 1, backward: 1))

  private func chosen(_ set: NodeSet) -> [[Int]] {
    set.isIn.map { layer in layer.indices.filter { layer[$0] } }
  }

  @Test("A threshold is strict, so that 0 leaves out what scores nothing")
  func strict() {
    #expect(chosen(scores.above(0)) == [[0, 1, 3], [], [0, 1, 3]])
    #expect(chosen(scores.above(0.25)) == [[0, 1], [], [0, 3]])
    #expect(chosen(scores.above(3)) == [[], [], []])
    #expect(scores.above(-1).count == 8)
  }

  @Test("The number of nodes falls as the threshold rises")
  func monotone() {
    let counts = stride(from: 0.0, to: 4, by: 0.125).map { scores.above($0).count }
    #expect(zip(counts, counts.dropFirst()).allSatisfy { $0 >= $1 })
    #expect(counts.first == 6 && counts.last == 0)
  }

  @Test("The largest by magnitude and the largest as they are differ, and equal ones go by place")
  func top() {
    #expect(chosen(scores.top(2)) == [[1], [], [3]])
    #expect(chosen(scores.top(2, signed: true)) == [[], [], [0, 3]])
    // 0.25 and −0.25 are equal in magnitude: the lower layer first.
    #expect(chosen(scores.top(5)) == [[0, 1, 3], [], [0, 3]])
    // 3, 1, 0.5, 0.25, then 0 and −0 by place, before what is negative.
    #expect(chosen(scores.top(5, signed: true)) == [[0, 2, 3], [], [0, 3]])
    #expect(chosen(scores.top(6, signed: true)) == [[0, 2, 3], [], [0, 2, 3]])
    #expect(scores.top(100).count == 8 && scores.top(-3).count == 0)
  }

  @Test("A share of the mass is held by the fewest nodes")
  func mass() {
    // Magnitudes 3, 2, 1, ½, ¼, ¼: 7 in all.
    #expect(scores.holding(0.4).count == 1)
    #expect(scores.holding(3.0 / 7).count == 1)
    #expect(scores.holding(0.5).count == 2)
    #expect(scores.holding(0.99).count == 6)
    #expect(scores.holding(1).count == 6)
    #expect(scores.holding(0).count == 0)
  }

  @Test("Nodes are listed by magnitude with their layer, position and unit")
  func listing() {
    let listed = scores.listed(scores.top(4))
    #expect(listed.map(\.score) == [3, -2, 1, 0.5])
    #expect(
      listed.map(\.place) == [
        UnitPlace(layer: 2, position: 1, unit: 1), UnitPlace(layer: 0, position: 0, unit: 1),
        UnitPlace(layer: 2, position: 0, unit: 0), UnitPlace(layer: 0, position: 0, unit: 0),
      ])
    var summed = scores
    summed.sumsPositions = true
    summed.values = [[1, 2]]
    #expect(
      summed.listed(summed.top(1)).map(\.place) == [UnitPlace(layer: 0, position: nil, unit: 1)])
  }

  @Test("Circuits grow evenly on a logarithmic axis, each size once")
  func growing() {
    let many = UnitScores(
      kind: .neuron, values: [(1...10_000).map { Float($0) }], units: 100,
      passes: PassCount(forward: 0, backward: 0))
    #expect(CircuitSelection(.topAbsolute, steps: 4, of: many) == .topAbsolute([1, 10, 100, 1000]))
    #expect(CircuitSelection(.topSigned, steps: 2, of: scores) == .topSigned([1, 3]))
    guard case .threshold(let thresholds) = CircuitSelection(.threshold, steps: 4, of: scores)
    else {
      Issue.record("a threshold is asked for")
      return
    }
    for (found, expected) in zip(thresholds, [0, 0.03, 3e-4, 3e-6]) {
      #expect(abs(found - expected) < 1e-12)
    }
    #expect(thresholds.count == 4)
  }

  // MARK: - Areas

  private func curve(_ points: [(share: Double, faithfulness: Double?)]) -> [CircuitPoint] {
    points.map {
      CircuitPoint(
        threshold: nil, nodes: Int($0.share * 1000), share: $0.share, circuit: 0, complement: 0,
        faithfulness: $0.faithfulness, completeness: $0.faithfulness)
    }
  }

  @Test("Areas are trapezoids on both axes")
  func areas() throws {
    let found = try #require(
      CircuitAreas(curve([(0, 0), (0.01, 0.5), (0.1, 1.5), (0.5, 1), (1, 1)])))
    // ∫ f: .01·.25 + .09·1 + .4·1.25 + .5·1.
    #expect(abs(found.cpr - 1.0925) < 1e-12)
    // |1 − f|: 1, ½, ½, 0, 0, so .01·.75 + .09·.5 + .4·.25.
    #expect(abs(found.cmd - 0.1525) < 1e-12)
    // From .01: a decade of mean 1, log₁₀ 5 of 1.25 and log₁₀ 2 of 1, over two decades.
    let (five, two) = (log10(5.0), log10(2.0))
    #expect(abs(found.cprLog - (1 + 1.25 * five + two) / 2) < 1e-12)
    #expect(abs(found.cmdLog - (0.5 + 0.25 * five) / 2) < 1e-12)
  }

  @Test("Nothing until a half and all at the end gives the areas of knowing nothing")
  func random() throws {
    let found = try #require(CircuitAreas(curve([(0, 0), (0.001, 0), (0.5, 0), (1, 1)])))
    #expect(abs(found.cpr - 0.25) < 1e-12 && abs(found.cmd - 0.75) < 1e-12)
    #expect(CircuitAreas(curve([(0, nil), (1, nil)])) == nil)
    let ends = try #require(CircuitAreas(curve([(0, 0), (1, 1)])))
    #expect(ends.cpr == 0.5 && ends.cmd == 0.5 && ends.cprLog == 1 && ends.cmdLog == 0)
  }
}
