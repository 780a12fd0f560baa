internal import Attribution
internal import Foundation
public import Results

extension CircuitSweep {
  /// Faithfulness and completeness of circuits of growing size.
  ///
  /// - Parameters:
  ///   - scores: what chooses the nodes.
  ///   - selection: how.
  ///   - method: what the scores are, for the result.
  ///   - progress: told the share that is done.
  /// - Returns: the circuits from the empty to the whole, each size once; no ratio where F(M) − F(∅) is below
  ///   `tolerance` of the larger of the two.
  /// - Throws: `CircuitError` for scores of other units; `EngineError` when memory runs out.
  /// - Complexity: two runs over all prompts for each circuit between the two ends, beside those that every
  ///   curve of the sweep shares.
  public func curve(
    of scores: UnitScores, by selection: CircuitSelection, method: AttributionMethod,
    progress: (Double) -> Void = { _ in }
  ) throws -> CircuitCurve {
    guard scores.kind == kind, scores.sumsPositions == sumsPositions else {
      func name(_ kind: UnitKind, _ sums: Bool) -> String {
        "kind \(kind.rawValue) with positions \(sums ? "summed" : "apart")"
      }
      throw CircuitError.scores(
        name(scores.kind, scores.sumsPositions), name(kind, sumsPositions))
    }
    let choices = selection.circuits(of: scores)
    var points = [point(nil, 0, circuit: empty, complement: full)]
    for (index, choice) in choices.enumerated() {
      let set = choice.set()
      points.append(
        point(
          choice.threshold, choice.count, circuit: try metric(of: set),
          complement: try metric(of: set.complement)))
      progress(Double(index + 1) / Double(choices.count))
    }
    points.append(point(nil, unitCount, circuit: full, complement: empty))
    return CircuitCurve(
      method: method, ablation: ablation.rawValue, selection: selection.kind.rawValue, full: full,
      empty: empty, points: points, areas: CircuitAreas(points),
      scorePasses: scores.passes,
      curvePasses: PassCount(
        forward: sharedPasses + 2 * Double(choices.count), backward: 0))
  }

  private func point(
    _ threshold: Double?, _ nodes: Int, circuit: Double, complement: Double
  ) -> CircuitPoint {
    CircuitPoint(
      threshold: threshold, nodes: nodes, share: Double(nodes) / Double(unitCount),
      circuit: circuit, complement: complement,
      faithfulness: range.map { (circuit - empty) / $0 },
      completeness: range.map { (complement - empty) / $0 })
  }
}

// Areas are trapezoids between the circuits that were run. On the linear axis the last of them, from a half to
// all nodes, often holds half of the area; the logarithmic one, from the smallest circuit that has a node, is
// divided by its length so that f = 1 everywhere gives 1 there too.

extension CircuitAreas {
  /// The areas under a curve that ends with the whole; nil where it has no ratios.
  public init?(_ points: [CircuitPoint]) {
    let curve = points.compactMap { point in point.faithfulness.map { (point.share, $0) } }
    guard curve.count == points.count, curve.count >= 2 else { return nil }
    func area(_ curve: [(Double, Double)], _ height: (Double) -> Double) -> Double {
      zip(curve, curve.dropFirst()).reduce(0) { sum, ends in
        sum + (ends.1.0 - ends.0.0) * (height(ends.0.1) + height(ends.1.1)) / 2
      }
    }
    let logarithmic = curve.filter { $0.0 > 0 }.map { (log($0.0), $0.1) }
    let length = -(logarithmic.first?.0 ?? 0)
    // A curve of the two ends alone has no length on that axis: only the whole is on it.
    func mean(_ height: (Double) -> Double) -> Double {
      length > 0 ? area(logarithmic, height) / length : height(curve[curve.count - 1].1)
    }
    self.init(
      cpr: area(curve) { $0 }, cmd: area(curve) { abs(1 - $0) }, cprLog: mean { $0 },
      cmdLog: mean { abs(1 - $0) })
  }
}
