internal import Attribution
internal import Foundation
internal import Tensors

// A zero baseline's path does nearly all of its bending where a·‖z‖ is of the size of biases, or of the √ε of a
// norm that reads the stream: at a ≪ 1, for a token of 3,000 times √ε within the first 3,000th. Nodes spread
// evenly in a miss it. With a = expm1(c t)/expm1(c), nodes are spread evenly in the logarithm of a + e⁻ᶜ, and a
// rule in t sees a smooth function where eᶜ is that ratio or more:
//
//     ∫₀¹ f(a) da = ∫₀¹ f(a(t)) ȧ(t) dt,    ȧ = c eᶜᵗ / expm1(c)

/// Nodes on a path and their weights.
struct PathNodes {
  var places: [Double]
  var weights: [Double]

  /// Gauss–Legendre, on a path that starts evenly, or so slowly that its first step is of 1/slowness.
  init(gaussLegendre count: Int, slowness: Double? = nil) {
    let rule = Quadrature.gaussLegendre(count)
    guard let slowness else {
      places = rule.nodes
      weights = rule.weights
      return
    }
    let c = Foundation.log(slowness)
    let whole = Foundation.expm1(c)
    places = rule.nodes.map { Foundation.expm1(c * $0) / whole }
    weights = zip(rule.nodes, rule.weights).map { $1 * c * Foundation.exp(c * $0) / whole }
  }

  /// Captum's `riemann_trapezoid`, without the node a = 0, of which the published code has no gradient.
  init(captumTrapezoid count: Int) {
    places = (1..<count).map { Double($0) / Double(count - 1) }
    weights = (1..<count).map { ($0 == count - 1 ? 0.5 : 1) / Double(count) }
  }

  /// The same nodes, at most so many together.
  func chunks(of size: Int) -> [PathNodes] {
    stride(from: 0, to: places.count, by: size).map { start in
      var part = self
      part.places = Array(places[start..<min(start + size, places.count)])
      part.weights = Array(weights[start..<min(start + size, places.count)])
      return part
    }
  }
}

/// The integrals over a path for one target, laid out cell after cell.
struct Integral {
  /// What was integrated: as many numbers in each cell.
  var values: [Double]
  /// The nodes that it took.
  var nodes: Int
  /// By how much each cell misses what it should sum to.
  var errors: [Double]
  var isConverged: Bool

  init(
    _ values: [Double], nodes: Int, _ totals: [Completeness], counting shown: [Int],
    tolerance: Double
  ) {
    let length = values.count / totals.count
    var kept = values
    var errors: [Double] = []
    for (cell, total) in totals.enumerated() {
      let range = cell * length..<(cell + 1) * length
      errors.append(total.error(values[range].reduce(0, +)))
      // What moved by rounding alone did not move.
      if !total.isMoved { kept.replaceSubrange(range, with: repeatElement(0, count: length)) }
    }
    self.values = kept
    self.nodes = nodes
    self.errors = errors
    isConverged = shown.allSatisfy { errors[$0] <= tolerance }
  }
}

/// What sums to a known total, beside the size of the output that moved.
struct Completeness {
  /// ‖F(x) − F(b)‖.
  private var change: Double
  /// ‖F(x)‖.
  private var size: Double
  /// The share of the size that is rounding.
  private var rounding: Double

  /// Whether the output moved by more than rounding.
  var isMoved: Bool { change > rounding * size }
  /// ‖F(x) − F(b)‖, 0 where it is rounding.
  var total: Double { isMoved ? change : 0 }

  /// |found − total| / total; where the output did not move, what was found relative to the output.
  func error(_ found: Double) -> Double {
    isMoved ? abs(found - change) / change : size > 0 ? abs(found) / size : abs(found)
  }

  /// One for each vector of the last dimension.
  ///
  /// - Parameters:
  ///   - changes: F(x) − F(b).
  ///   - outputs: F(x).
  ///   - type: in which they were computed.
  /// - Returns: in the order of the vectors.
  /// - Throws: `EngineError` when memory runs out.
  static func each(
    _ changes: Tensor, of outputs: Tensor, _ type: ScalarType
  ) throws -> [Completeness] {
    let rounding =
      switch type {
      case .float64: 1e-13
      case .float32: 1e-5
      default: 2e-2
      }
    return try zip(changes.lengths(), outputs.lengths()).map {
      Completeness(change: $0, size: $1, rounding: rounding)
    }
  }
}

extension FlowQuadrature {
  /// Where doubling begins.
  private static let fewest = 16
  /// Where doubling ends; a target that still misses is marked.
  private static let most = 512

  /// Integrates for each of some targets, with as many nodes as each needs.
  ///
  /// - Parameters:
  ///   - totals: what the cells of each target's integrals should sum to.
  ///   - shown: the cells that decide how many nodes; nil for all.
  ///   - slowness: how slowly a path from zero starts; nil for other paths.
  ///   - estimate: the integrals of some targets by a rule, one list each.
  /// - Returns: one for each target.
  func integrate(
    _ totals: [[Completeness]], counting shown: [Int]? = nil, slowness: Double?,
    estimate: (_ targets: [Int], PathNodes) throws -> [[Double]]
  ) rethrows -> [Integral] {
    func made(_ targets: [Int], _ nodes: PathNodes, _ count: Int) throws -> [Integral] {
      try zip(targets, estimate(targets, nodes)).map { target, values in
        Integral(
          values, nodes: count, totals[target], counting: shown ?? Array(totals[target].indices),
          tolerance: tolerance)
      }
    }
    let all = Array(totals.indices)
    switch self {
    case .captumTrapezoid(let steps):
      return try made(all, PathNodes(captumTrapezoid: steps), steps)
    case .fixed(let nodes):
      return try made(all, PathNodes(gaussLegendre: nodes, slowness: slowness), nodes)
    case .adaptive:
      var results: [Integral?] = Array(repeating: nil, count: totals.count)
      var open = all
      var nodes = Self.fewest
      while !open.isEmpty {
        let rule = PathNodes(gaussLegendre: nodes, slowness: slowness)
        var next: [Int] = []
        for (target, result) in zip(open, try made(open, rule, nodes)) {
          if !result.isConverged, !isStuck(result, after: results[target]) { next.append(target) }
          results[target] = result
        }
        nodes *= 2
        open = nodes > Self.most ? [] : next
      }
      return results.compactMap(\.self)
    }
  }

  /// Whether twice the nodes left every error where it was, so that it is none of the nodes': rounding.
  private func isStuck(_ result: Integral, after earlier: Integral?) -> Bool {
    guard let earlier, earlier.nodes >= 64 else { return false }
    return zip(result.errors, earlier.errors).allSatisfy {
      $0 <= tolerance || abs($0 - $1) <= tolerance / 10
    }
  }

  /// What integrals are held against: the default where the number of nodes is fixed.
  var tolerance: Double { if case .adaptive(let tolerance) = self { tolerance } else { 1e-3 } }
}
