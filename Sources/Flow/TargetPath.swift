internal import LanguageModels
internal import Tensors

// ITB moves every token away from the target: seen by target j, source k is x_jk(a) = z_j + a (z_k − z_j), and
// the target itself stays. A norm's scale is then of the pair,
//
//     σ²_jk = (1 − a)² G_jj + 2a(1 − a) G_jk + a² G_kk,      G the mean products of the vectors measured
//     r_jk = 1/√(σ²_jk + ε),      ṙ = −½ σ̇² r³               (r = 1 without a norm)
//
// and key and value are r [(1 − a) P_j + a P_k] + c. What is wanted of them are products with vectors of the
// target, q_j for scores and g_j for values, so tables of products stand for T² vectors:
//
//     y_jk = r [(1 − a) t¹_jk + a t²_jk] + t³_jk,      ẏ = ṙ [(1 − a) t¹ + a t²] + r (t² − t¹)
//     t¹ = ⟨q_j, R_k P_j⟩,  t² = ⟨q_j, R_k P_k⟩,  t³ = ⟨q_j, R_k c⟩
//
// with R_k the rotation at the source's place: of t¹, which has P of one token turned by another's angles,
// ⟨q, R_k P⟩ = Σ cos_k (q₁P₁ + q₂P₂) + sin_k (q₂P₁ − q₁P₂) over the pairs. A norm of keys divides y by
//
//     ρ²_jk = mean of the squares of r [(1 − a) m_j + a m_k] + m_c = a quadratic form in their mean products,
//
// and the score's slope is then ẏ/ρ − y ½(ρ²)˙/ρ³. The mix's change needs no difference of mixes, which would
// lose the digits of a head that looks at the target almost alone: the target's own term is 0 in
//
//     u(a) − u(0) = Σ_{k≠j} α_jk { a r_jk P_k + [(1 − a) r_jk − r_jj] P_j }.

/// Attention on the path that starts with every token at the target's own vector.
struct TargetPath: AttentionPath {
  private let parts: TokenProjections
  /// The mean products of what the norm measures, targets' own, of pairs, and sources' own.
  private let spread: PairProducts?
  /// t¹, t² and t³, the scale of the scores in them; and of a key norm's β.
  private let table: (own: Tensor, other: Tensor, constant: Tensor, shift: Tensor?)
  /// Scores at the start, mask and bias in them, and what they gain to the end; nil where they bend.
  private let straight: (start: Tensor, step: Tensor)?
  private let keyNorm: KeyScale?
  private let added: Tensor
  /// P of values of the targets: [heads, targets, headWidth].
  private let targetValue: Tensor
  /// 1 where a source is the row's own target, else 0, and the other way round: [targets, sources].
  private let own: Tensor
  private let others: Tensor
  /// r of the targets themselves: [targets, 1]; nil without a norm.
  private let targetScale: Tensor?

  init(_ parts: TokenProjections, targets: [Int]) {
    self.parts = parts
    let maps = parts.maps
    func rows(_ x: Tensor) -> Tensor { x.selecting(targets, along: x.shape.count - 2) }
    spread = parts.measured.map { PairProducts(mean: rows($0), $0) }
    added = parts.added(targets)
    targetValue = rows(parts.value)
    own = parts.ownPlaces(targets)
    others = -own + 1

    // The targets' own queries, as the model has them, with the scores' scale.
    targetScale = parts.scale(of: targets)
    var query = rows(parts.query)
    query = (targetScale.map { query * $0 } ?? query) + parts.constants.query
    var key = parts.key
    var constant = parts.constants.key
    var shift: Tensor?
    if let norms = parts.headNorms {
      let m = norms.query.centred(query)
      query = m * (norms.query.mean(m * m) + norms.query.epsilon).reciprocalSquareRoot
      query = query * norms.query.gain
      query = norms.query.shift.map { query + $0 } ?? query
      let (centred, centredConstant) = (norms.key.centred(key), norms.key.centred(constant))
      keyNorm = KeyScale(norms.key, rows(centred), centred, centredConstant)
      key = centred * norms.key.gain
      constant = centredConstant * norms.key.gain
      shift = norms.key.shift
    } else {
      keyNorm = nil
    }
    query = parts.turned(query, at: targets) * maps.scale

    // What no source changes, turned by each source's angles: [heads, targets, sources].
    let count = parts.key.size(1)
    func turnedEverywhere(_ x: Tensor) -> Tensor {
      let spread = x.expanded([maps.heads, count, maps.headWidth])
      return query.matmul(parts.turned(spread).transposed(-2, -1))
    }
    table = (
      own: parts.turnedProducts(query, rows(key)),
      other: query.matmul(parts.turned(key).transposed(-2, -1)),
      constant: turnedEverywhere(constant), shift: shift.map(turnedEverywhere)
    )
    let bends = spread != nil || keyNorm != nil || maps.softCap != nil
    straight =
      bends ? nil : (table.own + table.constant + added, table.other - table.own)
  }

  func state(at nodes: [Double]) -> AttentionState {
    let (type, device) = (parts.key.type, parts.key.device)
    let a = Tensor(nodes, [nodes.count, 1, 1, 1], type, on: device)
    return straight.map { state($0, nodes, a) } ?? bent(nodes, a)
  }

  /// Without norms scores go straight from the target's own to the text's, and p is a ⟨g, v̇⟩.
  private func state(
    _ line: (start: Tensor, step: Tensor), _ nodes: [Double], _ a: Tensor
  ) -> AttentionState {
    let pattern = (line.start + a * line.step).softmax(along: -1)
    let weight = pattern * others
    let total = weight.sum(along: -1, keepingDimension: true)
    return AttentionState(
      places: nodes, own: own, pattern: pattern,
      change: a * (weight.matmul(parts.value) - total * targetValue), keySlope: line.step
    ) { g in
      let own = (g * targetValue).sum(along: -1, keepingDimension: true)
      return (nil, g.matmul(parts.value.transposed(-2, -1)) - own)
    }
  }

  private func bent(_ nodes: [Double], _ a: Tensor) -> AttentionState {
    let rest = -a + 1
    let scale = spread.map { $0.scale(a, rest, parts.epsilon) }
    /// r [(1 − a) x + a y], and its derivative along the path.
    func between(_ own: Tensor, _ other: Tensor) -> (value: Tensor, slope: Tensor) {
      let line = rest * own + a * other
      let step = other - own
      guard let scale else { return (line, step) }
      return (scale.value * line, scale.slope * line + scale.value * step)
    }
    var scores = between(table.own, table.other)
    scores.value = scores.value + table.constant
    if let keyNorm { scores = keyNorm.divide(scores, a, rest, scale) }
    if let shift = table.shift { scores.value = scores.value + shift }

    return AttentionState(
      places: nodes, own: own, scores: scores.value, keySlope: scores.slope,
      softCap: parts.maps.softCap,
      added: added
    ) { pattern in
      let weight = pattern * others
      let scaled = scale.map { weight * $0.value } ?? weight
      let total = weight.sum(along: -1, keepingDimension: true)
      let stay =
        scale == nil
        ? -a * total
        : rest * scaled.sum(along: -1, keepingDimension: true) - total * (targetScale ?? total)
      return a * scaled.matmul(parts.value) + stay * targetValue
    } pull: { g in
      let p = between(
        (g * targetValue).sum(along: -1, keepingDimension: true),
        g.matmul(parts.value.transposed(-2, -1)))
      return (p.value, p.slope)
    }
  }
}

/// Mean products of vectors of targets and sources.
private struct PairProducts {
  /// Of each target with itself: [..., targets, 1].
  var target: Tensor
  /// Of each pair: [..., targets, sources].
  var pair: Tensor
  /// Of each source with itself: [..., 1, sources].
  var source: Tensor

  init(target: Tensor, pair: Tensor, source: Tensor) {
    self.target = target
    self.pair = pair
    self.source = source
  }

  /// Of [targets, width] and [sources, width].
  init(mean targets: Tensor, _ sources: Tensor) {
    let share = 1 / Double(sources.size(-1))
    self.init(
      target: (targets * targets).mean(along: -1, keepingDimension: true),
      pair: targets.matmul(sources.transposed(-2, -1)) * share,
      source: (sources * sources).mean(along: -1, keepingDimension: true).transposed(-2, -1))
  }

  /// The mean square of (1 − a) x_j + a x_k and its derivative: [nodes, ..., targets, sources].
  func square(_ a: Tensor, _ rest: Tensor) -> (value: Tensor, slope: Tensor) {
    (
      rest * rest * target + a * rest * 2 * pair + a * a * source,
      (rest - a) * 2 * pair - rest * 2 * target + a * 2 * source
    )
  }

  /// r and ṙ.
  func scale(
    _ a: Tensor, _ rest: Tensor, _ epsilon: Double
  ) -> (value: Tensor, slope: Tensor) {
    let square = square(a, rest)
    let r = (square.value + epsilon).reciprocalSquareRoot
    return (r, square.slope * (r * r * r) * -0.5)
  }
}

/// The scale of a norm of keys, for every pair: ρ² = mean((r x + m_c)²) + ε with x = (1 − a) m_j + a m_k.
private struct KeyScale {
  private let products: PairProducts
  /// Mean products with m_c: of targets [heads, targets, 1], and of sources [heads, 1, sources].
  private let targetConstant: Tensor
  private let sourceConstant: Tensor
  /// The mean square of m_c: [heads, 1, 1].
  private let constant: Tensor
  private let epsilon: Double

  init(_ norm: HeadNormParts, _ targets: Tensor, _ sources: Tensor, _ constant: Tensor) {
    epsilon = norm.epsilon
    products = PairProducts(
      target: norm.mean(targets * targets), pair: norm.gram(targets, sources),
      source: norm.mean(sources * sources).transposed(-2, -1))
    targetConstant = norm.mean(targets * constant)
    sourceConstant = norm.mean(sources * constant).transposed(-2, -1)
    self.constant = norm.mean(constant * constant)
  }

  /// y/ρ and its slope.
  func divide(
    _ y: (value: Tensor, slope: Tensor), _ a: Tensor, _ rest: Tensor,
    _ scale: (value: Tensor, slope: Tensor)?
  ) -> (value: Tensor, slope: Tensor) {
    let square = products.square(a, rest)
    let line = rest * targetConstant + a * sourceConstant
    let step = sourceConstant - targetConstant
    var (value, slope) = (square.value + line * 2, square.slope + step * 2)
    if let (r, rSlope) = scale {
      value = r * r * square.value + r * line * 2
      slope =
        r * r * square.slope + r * rSlope * square.value * 2 + (rSlope * line + r * step) * 2
    }
    let inverse = (value + constant + epsilon).reciprocalSquareRoot
    return (
      y.value * inverse, (y.slope - y.value * slope * (inverse * inverse) * 0.5) * inverse
    )
  }
}

extension TokenProjections {
  /// ⟨q_j, R_k P_j⟩ of each target j and place k: [heads, targets, places], of [heads, targets, headWidth].
  fileprivate func turnedProducts(_ query: Tensor, _ key: Tensor) -> Tensor {
    guard let angles = maps.angles else {
      return (query * key).sum(along: -1, keepingDimension: true)
        .expanded([query.size(0), query.size(1), self.key.size(1)])
    }
    let half = angles.cosine.size(-1)
    func part(_ x: Tensor, _ start: Int, _ end: Int) -> Tensor { x.slice(start..<end, along: 2) }
    let (q1, q2) = (part(query, 0, half), part(query, half, 2 * half))
    let (p1, p2) = (part(key, 0, half), part(key, half, 2 * half))
    let turned =
      (q1 * p1 + q2 * p2).matmul(angles.cosine.to(key.type).transposed(0, 1))
      + (q2 * p1 - q1 * p2).matmul(angles.sine.to(key.type).transposed(0, 1))
    guard 2 * half < maps.headWidth else { return turned }
    let (q3, p3) = (
      part(query, 2 * half, maps.headWidth), part(key, 2 * half, maps.headWidth)
    )
    return turned + (q3 * p3).sum(along: -1, keepingDimension: true)
  }
}
