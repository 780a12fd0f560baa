internal import Foundation

/// A rule ∫₀¹ g(t) dt ≈ Σ wᵢ g(tᵢ).
public struct Quadrature: Sendable, Equatable {
  /// tᵢ in [0, 1], ascending.
  public let nodes: [Double]
  /// wᵢ, summing to 1.
  public let weights: [Double]

  /// The midpoint rule: n equal steps, each at its middle.
  public static func midpoint(_ count: Int) -> Quadrature {
    let step = 1 / Double(count)
    return Quadrature(
      nodes: (0..<count).map { (Double($0) + 0.5) * step },
      weights: Array(repeating: step, count: count))
  }

  /// Gauss–Legendre: exact for polynomials of degree 2n − 1.
  ///
  /// The nodes are the roots of the Legendre polynomial Pₙ, found by Newton's method from
  /// Tricomi's estimate cos(π (i + 3/4) / (n + 1/2)); wᵢ = 2 / ((1 − xᵢ²) Pₙ′(xᵢ)²), both then
  /// moved from [−1, 1] to [0, 1].
  public static func gaussLegendre(_ count: Int) -> Quadrature {
    var nodes = [Double](repeating: 0, count: count)
    var weights = nodes
    for i in 0..<(count + 1) / 2 {
      var x = cos(.pi * (Double(i) + 0.75) / (Double(count) + 0.5))
      var slope = 0.0
      for _ in 0..<100 {
        var (previous, value) = (1.0, x)
        for k in stride(from: 2, through: count, by: 1) {
          (previous, value) = (
            value, ((2 * Double(k) - 1) * x * value - (Double(k) - 1) * previous) / Double(k)
          )
        }
        if count == 1 { (previous, value) = (1, x) }
        slope = Double(count) * (x * value - previous) / (x * x - 1)
        let step = value / slope
        x -= step
        if abs(step) < 1e-16 { break }
      }
      let weight = 1 / ((1 - x * x) * slope * slope)
      (nodes[i], nodes[count - 1 - i]) = ((1 - x) / 2, (1 + x) / 2)
      (weights[i], weights[count - 1 - i]) = (weight, weight)
    }
    return Quadrature(nodes: nodes, weights: weights)
  }

  /// Clenshaw–Curtis with n steps: the integral of the polynomial through (1 − cos πk/n)/2, k = 0 … n.
  ///
  /// n is even. The nodes of n are among those of 2n, and per node the rule is about as good as Gauss's for
  /// functions that are not entire (Trefethen 2008). Its weights are integrals of the interpolant's cosine series:
  /// wₖ = cₖ/2n · (1 − Σ_{0 < j < n/2} 2 cos(2jθₖ)/(4j² − 1) − cos(nθₖ)/(n² − 1)), with cₖ = 1 at the ends and 2
  /// between them.
  package static func clenshawCurtis(_ steps: Int) -> Quadrature {
    let n = Double(steps)
    let angles = (0...steps).map { Double.pi * Double($0) / n }
    return Quadrature(
      nodes: angles.map { (1 - cos($0)) / 2 },
      weights: angles.enumerated().map { k, angle in
        var sum = 1 - cos(n * angle) / (n * n - 1)
        for j in stride(from: 1, to: steps / 2, by: 1) {
          sum -= 2 * cos(2 * Double(j) * angle) / (4 * Double(j) * Double(j) - 1)
        }
        return (k == 0 || k == steps ? 1 : 2) * sum / (2 * n)
      })
  }
}
