internal import Tensors

// How many nodes an integral gets is decided by what it is for. The scores of a segment's parts must
// sum to the known change of F, and no part may move when the nodes are doubled: the sum alone does
// not see errors orthogonal to the update. With s the larger of the change and a hundredth of Σ|A|,
//
//     |Σ_c score(c) − A| ≤ tol · s     and     |score_2n(c) − score_n(c)| ≤ tol · s  for every part.
//
// The first two counts, 8 and 16, are taken together: with N the norm of a part's vector, no part moves by
// more than ‖ḡ_16 − ḡ_8‖ N, and that is bounded in vocabulary space. Only where the bound is not
// enough are both gradients formed.
//
// Nodes double from 8. Where t does not converge by 16, the angle between the ends is tried beside it
// at every count: it takes the stiffness out of ends far apart, and is not better everywhere.

/// How many nodes a path-mean gradient gets.
public enum IntegralRule: Sendable, Equatable {
  /// Gauss–Legendre, doubled from 8 until the parts meet the whole to this tolerance.
  case certified(tolerance: Double)
  /// Gauss–Legendre with this many nodes, for comparisons.
  case fixed(nodes: Int)

  /// The fewest nodes of a certified integral.
  static let fewest = 8
  /// The most.
  static let most = 1024
  /// The most in float32: what is still open then is lost in rounding, or better done in double.
  static let mostNarrow = 64
}

/// What an integral came to.
struct CertifiedScores {
  /// The parts' scores, by the segments of the path that the integral covers.
  var cells: [CellScores]
  /// ḡ: [1, width], float64.
  var gradient: Tensor
  /// The nodes spent.
  var nodes: Int
  /// Whether the tolerance was met; nil for a fixed rule.
  var converged: Bool?
}

/// One integral: a segment of the path gradient, and what is known of it.
struct Integral {
  /// The explained position, by index.
  var prediction: Int
  /// The segments of the path whose parts it scores.
  var cells: Range<Int>
  /// The known change of F along it.
  var whole: Double
  /// Σ|A| of the prediction, where that is known; else it is taken from the scores.
  var total: Double?

  /// What an error is measured against.
  func scale(_ scores: [CellScores]) -> Double {
    let total = total ?? scores.reduce(0) { $0 + abs($1.total) }
    return max(abs(whole), 0.01 * total)
  }
}

extension IntegralRule {
  /// Integrates until the rule is satisfied.
  ///
  /// - Parameters:
  ///   - integrals: one per segment of `gradient`, in its order.
  ///   - gradient: the closed form.
  ///   - most: the most nodes.
  ///   - longest: the largest norm of any part's vector, for some integrals.
  ///   - score: the parts' scores of some integrals, given ḡ of each: [chosen, width].
  /// - Returns: one result per integral.
  /// - Throws: as `score` and `longest`.
  func scores(
    _ integrals: [Integral], _ gradient: any SegmentGradient, most: Int,
    longest: ([Integral]) throws -> [Double],
    score: (_ chosen: [Integral], _ gradients: Tensor) throws -> [[CellScores]]
  ) throws -> [CertifiedScores] {
    func level(_ chosen: [Int], _ nodes: Int, circular: Bool) throws -> [CertifiedScores] {
      guard !chosen.isEmpty else { return [] }
      let gradients = try gradient(chosen, .gaussLegendre(nodes), circular: circular)
      let cells = try score(chosen.map { integrals[$0] }, gradients)
      return cells.enumerated().map { row, cells in
        CertifiedScores(
          cells: cells, gradient: gradients.slice(row..<row + 1, along: 0), nodes: nodes)
      }
    }
    let tolerance: Double
    switch self {
    case .fixed(let nodes):
      return try level(Array(integrals.indices), nodes, circular: false)
    case .certified(let asked): tolerance = asked
    }

    func error(_ index: Int, _ found: CertifiedScores) -> Double {
      let total = found.cells.reduce(0) { $0 + $1.total }
      return abs(total - integrals[index].whole) / integrals[index].scale(found.cells)
    }
    /// The sum's error and the largest move of a part, relative to what they are measured against.
    func misfit(_ index: Int, _ before: CertifiedScores, _ now: CertifiedScores) -> Double {
      let scale = integrals[index].scale(now.cells)
      let moved = zip(before.cells, now.cells).reduce(0) { max($0, $1.0.distance(to: $1.1)) }
      return max(error(index, now), moved / scale)
    }

    let all = Array(integrals.indices)
    let pair = try gradient.gradients(
      all, .gaussLegendre(2 * Self.fewest), comparedWith: .gaussLegendre(Self.fewest),
      circular: false)
    let lengths = try longest(integrals)
    var best = try score(integrals, pair.values).enumerated().map { row, cells in
      CertifiedScores(
        cells: cells, gradient: pair.values.slice(row..<row + 1, along: 0),
        nodes: 2 * Self.fewest)
    }
    var misfits = all.map { index -> Double in
      let moved = pair.drifts[index] * lengths[index] / integrals[index].scale(best[index].cells)
      let misfit = max(error(index, best[index]), moved)
      return misfit <= tolerance ? misfit : .infinity
    }
    var open = all.filter { misfits[$0] > tolerance }
    // By variable: the scores at the last count.
    var straight: [Int: CertifiedScores] = [:]
    for (index, found) in zip(open, try level(open, Self.fewest, circular: false)) {
      straight[index] = found
    }
    var angular: [Int: CertifiedScores] = [:]
    var nodes = Self.fewest * 2
    func settle(
      _ chosen: [Int], _ last: inout [Int: CertifiedScores], _ found: [CertifiedScores]
    ) {
      for (index, now) in zip(chosen, found) {
        if let before = last[index] {
          let misfit = misfit(index, before, now)
          // A part or sum that is not a number never meets a tolerance.
          if misfit < misfits[index] || misfits[index] == .infinity {
            misfits[index] = misfit.isNaN ? .infinity : misfit
            best[index] = now
          }
        }
        last[index] = now
      }
      open.removeAll { misfits[$0] <= tolerance }
    }
    while !open.isEmpty, nodes <= most {
      let chosen = open
      settle(
        chosen, &straight,
        nodes == 2 * Self.fewest
          ? chosen.map { best[$0] } : try level(chosen, nodes, circular: false))
      let turning = open.filter(gradient.isCircular)
      let new = turning.filter { angular[$0] == nil }
      for (index, found) in zip(new, try level(new, nodes / 2, circular: true)) {
        angular[index] = found
      }
      settle(turning, &angular, try level(turning, nodes, circular: true))
      nodes *= 2
    }
    return best.indices.map { index in
      var result = best[index]
      result.converged = misfits[index] <= tolerance
      return result
    }
  }
}
