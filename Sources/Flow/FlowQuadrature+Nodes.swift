internal import Attribution
internal import Foundation

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

/// The integral over a path for one target.
struct Integral {
  /// What was integrated.
  var values: [Double]
  /// The nodes that it took.
  var nodes: Int
  var isConverged: Bool
}

extension FlowQuadrature {
  /// Where doubling begins.
  private static let fewest = 16
  /// Where doubling ends; a target that still misses is marked.
  private static let most = 512

  /// Integrates for each of so many targets, with as many nodes as each needs.
  ///
  /// - Parameters:
  ///   - count: the targets.
  ///   - slowness: how slowly a path from zero starts; nil for other paths.
  ///   - estimate: the integrals of some targets by a rule, one list each.
  ///   - error: by how much a target's integrals miss what they should sum to, relative to it.
  /// - Returns: one for each target.
  func integrate(
    _ count: Int, slowness: Double?,
    estimate: (_ targets: [Int], PathNodes) throws -> [[Double]],
    error: (_ target: Int, [Double]) -> Double
  ) rethrows -> [Integral] {
    func made(_ targets: [Int], _ nodes: PathNodes, _ count: Int, _ tolerance: Double) throws
      -> [Integral]
    {
      try zip(targets, estimate(targets, nodes)).map { target, values in
        Integral(values: values, nodes: count, isConverged: error(target, values) <= tolerance)
      }
    }
    let all = Array(0..<count)
    switch self {
    case .captumTrapezoid(let steps):
      return try made(all, PathNodes(captumTrapezoid: steps), steps, Self.customary)
    case .fixed(let nodes):
      return try made(
        all, PathNodes(gaussLegendre: nodes, slowness: slowness), nodes, Self.customary)
    case .adaptive(let tolerance):
      var results: [Integral?] = Array(repeating: nil, count: count)
      var open = all
      var nodes = Self.fewest
      while !open.isEmpty {
        let rule = PathNodes(gaussLegendre: nodes, slowness: slowness)
        for (target, result) in zip(open, try made(open, rule, nodes, tolerance)) {
          results[target] = result
        }
        nodes *= 2
        open = nodes > Self.most ? [] : open.filter { results[$0]?.isConverged == false }
      }
      return results.compactMap(\.self)
    }
  }

  /// What a fixed number of nodes is held against: the default tolerance.
  private static let customary = 1e-3
}
