internal import Foundation
package import LanguageModels
package import Tensors

// A straight segment h(t) = (1 − t) a + t b of the residual stream, seen through the final norm.
//
// With x̄ = x for RMSNorm and x − mean(x) for LayerNorm, ρ(t)² = ‖h̄(t)‖²/d + ε, and l̂ the logits
// of an end's own normalised state less their bias c′,
//
//     l(t) − c′ = α l̂_a + β l̂_b,     α = (1 − t) ρ_a / ρ(t),   β = t ρ_b / ρ(t)
//
// so the logits anywhere on it are a mixture of those at its ends: one product with the unembedding
// serves every step. ρ(t)² is a quadratic in t with three dot products.
//
// Append √(dε) to h̄: the normalised state then runs along a great circle, and with φ the angle
// between the ends
//
//     l(θ) − c′ = [sin(φ − θ) l̂_a + sin θ l̂_b] / sin φ,     θ from 0 to φ
//
// which is smooth where the straight variable is stiff: near a zero end.

/// The geometry of one segment: what its mixtures need to know of its two ends.
package struct Segment {
  /// (ā·ā, ā·b̄, b̄·b̄)/d + ε.
  private let aa: Double
  private let ab: Double
  private let bb: Double

  /// The segment from state a to state b, each [width].
  package init(_ a: ArraySlice<Double>, _ b: ArraySlice<Double>, _ norm: Norm) {
    let width = Double(a.count)
    var (meanA, meanB) = (0.0, 0.0)
    if norm.kind == .layer {
      meanA = a.reduce(0, +) / width
      meanB = b.reduce(0, +) / width
    }
    var (aa, ab, bb) = (0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) {
      let (u, v) = (x - meanA, y - meanB)
      aa += u * u
      ab += u * v
      bb += v * v
    }
    self.aa = aa / width + norm.epsilon
    self.ab = ab / width + norm.epsilon
    self.bb = bb / width + norm.epsilon
  }

  /// The mixture at t, with slopes d/dt.
  package func straight(_ t: Double) -> SoftmaxPoints.Mixture {
    let s = 1 - t
    let square = s * s * aa + 2 * s * t * ab + t * t * bb
    let scale = square.squareRoot()
    let slope = (-s * aa + (1 - 2 * t) * ab + t * bb) / scale
    let (start, end) = (aa.squareRoot(), bb.squareRoot())
    let alpha = s * start / scale
    let beta = t * end / scale
    return .init(
      alpha: alpha, beta: beta, alphaSlope: (-start - alpha * slope) / scale,
      betaSlope: (end - beta * slope) / scale)
  }

  /// A place on a segment at which its gradient is taken.
  package struct Node: Sendable {
    /// The logits there; their slopes are the logits themselves, so that a target's slope is q·(l − c′).
    package var mixture: SoftmaxPoints.Mixture
    /// The share of the end: h = (1 − t) a + t b.
    package var t: Double
    /// dt/du of the variable in which nodes are placed.
    package var stretch: Double
    /// ρ(t).
    package var scale: Double
  }

  /// The node at u in [0, 1], in t itself or in the share of the angle; nil where that has no digits.
  package func node(_ u: Double, circular: Bool) -> Node? {
    var (t, stretch) = (u, 1.0)
    if circular {
      let angle = self.angle
      let sine = sin(angle)
      guard sine > 1e-4 else { return nil }
      // t = n_a sin θ / (n_a sin θ + n_b sin(φ − θ)), dt/dθ = n_a n_b sin φ / (same)².
      let (start, end) = (aa.squareRoot(), bb.squareRoot())
      let both = start * sin(u * angle) + end * sin((1 - u) * angle)
      t = start * sin(u * angle) / both
      stretch = angle * start * end * sine / (both * both)
    }
    let s = 1 - t
    let scale = (s * s * aa + 2 * s * t * ab + t * t * bb).squareRoot()
    let alpha = s * aa.squareRoot() / scale
    let beta = t * bb.squareRoot() / scale
    return Node(
      mixture: .init(alpha: alpha, beta: beta, alphaSlope: alpha, betaSlope: beta), t: t,
      stretch: stretch, scale: scale)
  }

  /// The angle φ between the augmented ends.
  private var angle: Double {
    acos(max(-1, min(1, ab / (aa * bb).squareRoot())))
  }

  /// The mixture at the share u of the angle, with slopes d/du; nil where the ends are so nearly
  /// parallel or opposed that sin φ carries no digits.
  package func circular(_ u: Double) -> SoftmaxPoints.Mixture? {
    let angle = self.angle
    let sine = sin(angle)
    guard sine > 1e-4 else { return nil }
    let theta = u * angle
    return .init(
      alpha: sin(angle - theta) / sine, beta: sin(theta) / sine,
      alphaSlope: -angle * cos(angle - theta) / sine, betaSlope: angle * cos(theta) / sine)
  }
}
