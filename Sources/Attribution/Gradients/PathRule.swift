// ∫₀¹ g(α) dy(α) as a sum over nodes. Each node α_k stands for a cell [a_k, b_k] of the path:
//
//     Σ_k f_k g(α_k) · (y(b_k) − y(a_k)),       w_k = f_k (b_k − a_k)
//
// For what moves in a straight line, y(b) − y(a) = (b − a) · (y(1) − y(0)), and this is the ordinary rule with
// weights w_k. For values that follow (conductance) it is a Stieltjes sum.
//
//     left, right     node at one end of [k/N, (k+1)/N]
//     midpoint        in the middle
//     trapezoid       N + 1 nodes k/N, the mean of left and right: cell [(k−1)/N, (k+1)/N], f = ½
//     Gauss–Legendre  cells end at the weights' running sums, and each node lies in its own
//                     (the separation theorem of Chebyshev, Markov and Stieltjes)

/// Where along a path gradients are taken, and what each stands for.
public enum PathRule: Sendable, Equatable {
  /// k/N, k = 0 … N − 1.
  case left(Int)
  /// k/N, k = 1 … N.
  case right(Int)
  /// (k + ½)/N.
  case midpoint(Int)
  /// k/N, k = 0 … N, the ends halved.
  case trapezoid(Int)
  /// The roots of the Legendre polynomial.
  case gaussLegendre(Int)
  /// N places drawn evenly at random, each for 1/N.
  case random(Int, seed: Int)
  /// Clenshaw–Curtis nodes, doubled and then halved, until the scores err by less than this share of the
  /// metric's change.
  case adaptive(tolerance: Double)

  /// The name in results.
  public var name: String {
    switch self {
    case .left: "left"
    case .right: "right"
    case .midpoint: "midpoint"
    case .trapezoid: "trapezoid"
    case .gaussLegendre: "gauss-legendre"
    case .random: "random"
    case .adaptive: "adaptive"
    }
  }

  /// Steps or samples; nil where they are found.
  public var steps: Int? {
    switch self {
    case .left(let n), .right(let n), .midpoint(let n), .trapezoid(let n): n
    case .gaussLegendre(let n), .random(let n, _): n
    case .adaptive: nil
    }
  }

  /// What integrals are refined to; nil for a fixed rule.
  public var tolerance: Double? {
    if case .adaptive(let tolerance) = self { tolerance } else { nil }
  }

  /// The nodes, ascending; none of an adaptive rule, which finds them.
  var nodes: [PathNode] {
    func steps(_ n: Int, at share: Double) -> [PathNode] {
      (0..<n).map { k in
        PathNode(
          place: (Double(k) + share) / Double(n), from: Double(k) / Double(n),
          to: Double(k + 1) / Double(n))
      }
    }
    switch self {
    case .left(let n): return steps(n, at: 0)
    case .right(let n): return steps(n, at: 1)
    case .midpoint(let n): return steps(n, at: 0.5)
    case .trapezoid(let n):
      return (0...n).map { k in
        PathNode(
          place: Double(k) / Double(n), from: Double(max(0, k - 1)) / Double(n),
          to: Double(min(n, k + 1)) / Double(n), factor: 0.5)
      }
    case .gaussLegendre(let n): return PathNode.gaussLegendre(n, from: 0, to: 1)
    case .random(let n, let seed):
      var random = SeededRandom(seed: UInt64(bitPattern: Int64(seed)))
      return (0..<n).map { _ in Double(random.next() >> 11) * 0x1p-53 }.sorted().map {
        PathNode(place: $0, from: 0, to: 1, factor: 1 / Double(n))
      }
    case .adaptive: return []
    }
  }
}

/// A place on a path and the cell that it stands for.
struct PathNode: Equatable {
  /// α_k.
  var place: Double
  /// a_k.
  var from: Double
  /// b_k.
  var to: Double
  /// f_k.
  var factor = 1.0

  /// w_k.
  var weight: Double { factor * (to - from) }

  /// Gauss–Legendre nodes of a part of the path.
  static func gaussLegendre(_ count: Int, from start: Double, to end: Double) -> [PathNode] {
    let rule = Quadrature.gaussLegendre(count)
    var sum = 0.0
    return zip(rule.nodes, rule.weights).enumerated().map { index, node in
      let before = sum
      sum = index == count - 1 ? 1 : sum + node.1
      return PathNode(
        place: start + node.0 * (end - start), from: start + before * (end - start),
        to: index == count - 1 ? end : start + sum * (end - start))
    }
  }
}
