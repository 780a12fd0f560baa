internal import LanguageModels
internal import Tensors

// What attention reads is N(z), so a query, key or value is r·P + c with
//
//     P = W (γ ⊙ (z − mean z)),    c = W β + b,    r = 1/√(variance(z) + ε)         LayerNorm
//     P = W (γ ⊙ z),               c = b,          r = 1/√(mean(z²) + ε)            RMSNorm
//     P = W z,                     c = b,          r = 1                            no norm
//
// Along any straight path of z the P move straight and only r bends, so the products with W are made once.

/// Queries, keys and values of tokens, apart from the norm's scale: r·P + c.
struct TokenProjections {
  /// P of queries: [heads, tokens, headWidth].
  let query: Tensor
  /// P of keys, each repeated for the heads it serves: [heads, tokens, headWidth].
  let key: Tensor
  /// P of values, likewise.
  let value: Tensor
  /// c of each: [heads, 1, headWidth].
  let constants: (query: Tensor, key: Tensor, value: Tensor)
  /// What the norm measures: z, centred for a LayerNorm: [tokens, width]; nil without a norm.
  let measured: Tensor?
  /// ε.
  let epsilon: Double
  let maps: AttentionMaps

  /// Projects the stream that enters a block: [tokens, width].
  init(_ stream: Tensor, _ maps: AttentionMaps, _ norm: Norm?) {
    self.maps = maps
    let type = stream.type
    let centred =
      norm?.kind == .layer ? stream - stream.mean(along: -1, keepingDimension: true) : stream
    measured = norm.map { _ in centred }
    epsilon = norm?.epsilon ?? 0
    let read = norm.map { centred * $0.weight.to(type) } ?? stream
    let shift = norm?.bias?.to(type)

    func perHead(_ x: Tensor, _ heads: Int) -> Tensor {
      // [heads, tokens, headWidth]
      let split = x.reshaped([x.size(0), heads, maps.headWidth]).transposed(0, 1)
      return (heads == maps.heads ? split : split.repeatingEach(maps.heads / heads, along: 0))
        .contiguous
    }
    func projected(_ map: Linear, _ heads: Int) -> (Tensor, Tensor) {
      let weight = map.weight.to(type)
      let zero = Tensor(repeating: 0, [1, weight.size(0)], type, on: stream.device)
      var constant = map.bias.map { zero + $0.to(type) } ?? zero
      if let shift { constant = constant + shift.reshaped([1, shift.count]).linear(weight) }
      return (perHead(read.linear(weight), heads), perHead(constant, heads))
    }
    let (query, queryConstant) = projected(maps.query, maps.heads)
    let (key, keyConstant) = projected(maps.key, maps.keyValueHeads)
    let (value, valueConstant) = projected(maps.value, maps.keyValueHeads)
    (self.query, self.key, self.value) = (query, key, value)
    constants = (queryConstant, keyConstant, valueConstant)
  }

  /// What heads mix where a path starts: [heads, targets, headWidth].
  ///
  /// Under ITB every token has the target's value; at zero all have the constant, as has any mix of them.
  func start(isITB: Bool, _ targets: [Int]) -> Tensor {
    guard isITB else {
      return constants.value.expanded([maps.heads, targets.count, maps.headWidth])
    }
    let own = value.selecting(targets, along: 1)
    return (scale(of: targets).map { own * $0 } ?? own) + constants.value
  }

  /// r of some tokens: [targets, 1]; nil without a norm.
  func scale(of targets: [Int]) -> Tensor? {
    measured.map {
      let rows = $0.selecting(targets, along: 0)
      return ((rows * rows).mean(along: -1, keepingDimension: true) + epsilon)
        .reciprocalSquareRoot
    }
  }

  /// The norms of queries and keys.
  var headNorms: (query: HeadNormParts, key: HeadNormParts)? {
    maps.headNorms.map { norms in
      (
        HeadNormParts(
          norms.query, heads: maps.heads, servedBy: maps.heads, width: maps.headWidth, key.type),
        HeadNormParts(
          norms.key, heads: maps.heads, servedBy: maps.keyValueHeads, width: maps.headWidth,
          key.type)
      )
    }
  }

  /// Mask and bias of the rows of targets: [1 or heads, targets, sources], or with a 1 before.
  func added(_ targets: [Int]) -> Tensor {
    maps.added.selecting(targets, along: maps.added.shape.count - 2).to(key.type)
  }

  /// 1 where a source is the row's own target, else 0: [targets, sources].
  func ownPlaces(_ targets: [Int]) -> Tensor {
    let tokens = key.size(1)
    var values = [Double](repeating: 0, count: targets.count * tokens)
    for (row, target) in targets.enumerated() { values[row * tokens + target] = 1 }
    return Tensor(values, [targets.count, tokens], key.type, on: key.device)
  }

  /// Turns vectors [..., heads, positions, headWidth], of which row i stands at places[i].
  func turned(_ x: Tensor, at places: [Int]? = nil) -> Tensor {
    guard let angles = maps.angles else { return x }
    func chosen(_ table: Tensor) -> Tensor {
      (places.map { table.selecting($0, along: 0) } ?? table).to(x.type)
    }
    let last = x.shape.count - 2
    return x.transposed(last - 1, last)
      .rotated(cosine: chosen(angles.cosine), sine: chosen(angles.sine))
      .transposed(last - 1, last)
  }
}

// A norm of queries or keys divides by its own scale once more: with m the vector less its mean where the
// norm is a LayerNorm, (r·P + c) becomes γ ⊙ m/ρ + β, ρ² = mean(m²) + ε, the mean over one head or over all
// heads joined. The part before the division is still straight in P and c.

/// A norm of queries or keys, taken apart.
struct HeadNormParts {
  /// γ, with a head's own scale where there is one: [heads or 1, 1, headWidth].
  let gain: Tensor
  /// β: [heads or 1, 1, headWidth]; nil for none.
  let shift: Tensor?
  private let norm: HeadNorm

  init(_ norm: HeadNorm, heads: Int, servedBy own: Int, width: Int, _ type: ScalarType) {
    self.norm = norm
    func perHead(_ x: Tensor) -> Tensor {
      // [heads, 1, headWidth]
      let split = x.to(type).reshaped([x.count / width, 1, width])
      return split.size(0) == own && own != heads
        ? split.repeatingEach(heads / own, along: 0) : split
    }
    let scale = norm.scale.map(perHead)
    let weight = perHead(norm.norm.weight)
    gain = scale.map { weight * $0 } ?? weight
    let bias = norm.norm.bias.map(perHead)
    shift = bias.map { bias in scale.map { bias * $0 } ?? bias }
  }

  var epsilon: Double { norm.norm.epsilon }

  /// Vectors less what the norm takes off: [..., heads, rows, headWidth].
  func centred(_ x: Tensor) -> Tensor {
    guard norm.norm.kind == .layer else { return x }
    return x - mean(x)
  }

  /// The mean of numbers over what is normalised together: [..., heads or 1, rows, 1].
  func mean(_ x: Tensor) -> Tensor {
    let own = x.mean(along: -1, keepingDimension: true)
    // Repeated heads weigh alike, so their mean is that of the heads there are.
    return norm.span == .head ? own : own.mean(along: -3, keepingDimension: true)
  }

  /// The mean product of the vectors of each pair of rows, over what is normalised together:
  /// [heads or 1, rows, others] of [heads, rows, headWidth] and [heads, others, headWidth].
  func gram(_ a: Tensor, _ b: Tensor) -> Tensor {
    let products = a.matmul(b.transposed(-2, -1)) * (1 / Double(a.size(-1)))
    return norm.span == .head ? products : products.mean(along: -3, keepingDimension: true)
  }
}
