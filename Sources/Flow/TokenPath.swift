internal import LanguageModels
internal import Tensors

// The zero baseline moves each token by itself, x_i(a) = a z_i, whoever looks at it. A norm makes of it
//
//     N(a z) = κ γ ⊙ (z − mean z) + β,    κ = a r,    r = 1/√(a² σ² + ε),    κ̇ = r (1 − a² σ² r²)
//
// (σ² the variance, or the mean square for RMSNorm; κ = a without a norm), so queries, keys and values are
// κ P + c with derivative κ̇ P. A norm of queries or keys follows, y = γ ⊙ m/ρ + β with
// ẏ = γ ⊙ (ṁ/ρ − m mean(m ṁ)/ρ³), then the rotation, which is linear.

/// Attention on the path from zero.
struct TokenPath: AttentionPath {
  private let parts: TokenProjections
  private let targets: [Int]
  /// σ²: [tokens, 1]; nil without a norm.
  private let variance: Tensor?
  private let norms: (query: HeadNormParts, key: HeadNormParts)?
  /// Mask and bias of the targets' rows.
  private let added: Tensor
  private let targetQuery: Tensor
  /// 1 where a source is the row's own target, else 0: [targets, sources].
  private let own: Tensor

  init(_ parts: TokenProjections, targets: [Int]) {
    self.parts = parts
    self.targets = targets
    variance = parts.measured.map { ($0 * $0).mean(along: -1, keepingDimension: true) }
    norms = parts.headNorms
    added = parts.added(targets)
    targetQuery = parts.query.selecting(targets, along: 1)
    own = parts.ownPlaces(targets)
  }

  func state(at nodes: [Double]) -> AttentionState {
    let (type, device) = (parts.key.type, parts.key.device)
    let a = Tensor(nodes, [nodes.count, 1, 1, 1], type, on: device)
    // κ and κ̇: [nodes, 1, tokens, 1]
    let speed: (value: Tensor, slope: Tensor)
    if let variance {
      let spread = a * a * variance
      let r = (spread + parts.epsilon).reciprocalSquareRoot
      speed = (a * r, r * (-(spread * r * r) + 1))
    } else {
      speed = (a, Tensor(repeating: 1, [1, 1, 1, 1], type, on: device))
    }
    func moving(
      _ p: Tensor, _ c: Tensor, at places: [Int]? = nil
    ) -> (value: Tensor, slope: Tensor) {
      func rows(_ x: Tensor) -> Tensor {
        places.map { x.size(2) == 1 ? x : x.selecting($0, along: 2) } ?? x
      }
      return (p * rows(speed.value) + c, p * rows(speed.slope))
    }
    func normed(
      _ x: (value: Tensor, slope: Tensor), _ norm: HeadNormParts?
    ) -> (value: Tensor, slope: Tensor) {
      guard let norm else { return x }
      let (m, slope) = (norm.centred(x.value), norm.centred(x.slope))
      let scale = (norm.mean(m * m) + norm.epsilon).reciprocalSquareRoot
      let value = m * scale * norm.gain
      return (
        norm.shift.map { value + $0 } ?? value,
        (slope - m * (norm.mean(m * slope) * scale * scale)) * scale * norm.gain
      )
    }
    let c = parts.constants
    let q = normed(moving(targetQuery, c.query, at: targets), norms?.query)
    let k = normed(moving(parts.key, c.key), norms?.key)
    // Values less what they are at 0, which no mix changes.
    let v = (value: parts.value * speed.value, slope: parts.value * speed.slope)
    // Queries carry the scale of the scores.
    let query = parts.turned(q.value, at: targets) * parts.maps.scale
    let querySlope = parts.turned(q.slope, at: targets) * parts.maps.scale
    let key = parts.turned(k.value).transposed(-2, -1)
    let keySlope = parts.turned(k.slope).transposed(-2, -1)
    return AttentionState(
      places: nodes, own: own, scores: query.matmul(key), keySlope: query.matmul(keySlope),
      querySlope: querySlope.matmul(key), softCap: parts.maps.softCap, added: added
    ) { pattern in
      pattern.matmul(v.value)
    } pull: { g in
      (g.matmul(v.value.transposed(-2, -1)), g.matmul(v.slope.transposed(-2, -1)))
    }
  }
}
