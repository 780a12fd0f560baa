internal import Foundation
package import Tensors

/// Self-attention (Vaswani and others 2017), with grouped key-value heads (Ainslie and others 2023).
package struct Attention: AttentionBranch {
  /// Queries, keys and values in one product: [(heads + 2 · keyValueHeads) · headWidth, width].
  var input: Linear
  /// W_O: [width, heads · headWidth].
  package var output: Linear
  var heads: Int
  var keyValueHeads: Int
  var headWidth: Int
  /// The norms of queries and keys before rotation, where the family has them.
  var headNorms: (query: HeadNorm, key: HeadNorm)?
  /// The branch's own norm after W_O, where the family has one.
  package var outputNorm: Norm?
  /// Nil where positions are learned vectors, or the layer has none.
  package var rotary: RotaryEmbedding?
  /// How far a query sees, itself included; nil for all the way.
  var window: Int?
  /// What scores are multiplied by; nil for 1/√headWidth.
  var scale: Double?
  /// κ of κ·tanh(score/κ); nil for none.
  var softCap: Double?
  /// What is added to the scores; nil for nothing.
  var bias: RelativeBias?

  package var parts: [Site.AttentionPart] { Site.AttentionPart.within }

  package func callAsFunction(
    _ x: Tensor, _ layer: Int, _ positions: Positions, _ cache: KeyValueCache?, _ pass: Pass
  ) -> Tensor {
    let batch = x.size(0)
    let count = x.size(1)

    // [batch, position, heads + 2 · keyValueHeads, headWidth]
    let mixed = input(x, layer, pass)
      .reshaped([batch, count, heads + 2 * keyValueHeads, headWidth])
    let (queries, keys) = turned(mixed, positions, layer, pass)
    // [batch, heads, position, headWidth], keys and values with fewer heads
    let query = pass.rules.pattern(pass(.attention(layer, .query), queries.transposed(1, 2)))
    let newKey = pass.rules.pattern(pass(.attention(layer, .key), keys.transposed(1, 2)))
    let newValue = pass(
      .attention(layer, .value),
      mixed.slice(heads + keyValueHeads..<heads + 2 * keyValueHeads, along: 2).transposed(1, 2))
    let (key, value) =
      cache?.append(key: newKey, value: newValue, layer: layer) ?? (newKey, newValue)

    let mixture: Tensor
    if softCap != nil || pass.wants(.attention(layer, .pattern)) {
      let group = heads / keyValueHeads
      let keys = group == 1 ? key : key.repeatingEach(group, along: 1)
      let values = group == 1 ? value : value.repeatingEach(group, along: 1)
      var scores = query.matmul(keys.transposed(2, 3)) * scoreScale
      if let softCap { scores = pass.rules.softCapped(scores, softCap) }
      if let bias { scores = scores + positions.bias(bias) }
      scores = scores + positions.mask(window: window)
      let pattern = pass(.attention(layer, .pattern), scores.softmax(along: -1))
      mixture = pattern.matmul(values)
    } else {
      mixture = fused(query: query, key: key, value: value, positions)
    }
    // [batch, position, heads, headWidth]
    let perHead = pass(.attention(layer, .heads), mixture.transposed(1, 2))
    return added(by: perHead.reshaped([batch, count, heads * headWidth]), layer, pass)
  }

  package func maps(_ positions: Positions) -> AttentionMaps? {
    func part(_ start: Int, _ count: Int) -> Linear {
      let rows = start * headWidth..<(start + count) * headWidth
      return Linear(
        weight: input.weight.slice(rows, along: 0), bias: input.bias?.slice(rows, along: 0))
    }
    let mask = positions.mask(window: window)
    return AttentionMaps(
      query: part(0, heads), key: part(heads, keyValueHeads),
      value: part(heads + keyValueHeads, keyValueHeads), heads: heads,
      keyValueHeads: keyValueHeads, headWidth: headWidth, headNorms: headNorms,
      angles: rotary.map(positions.angles(for:)), scale: scoreScale, softCap: softCap,
      added: bias.map { positions.bias($0) + mask } ?? mask)
  }

  /// Queries and keys, normalised and rotated: together where one step serves both.
  private func turned(
    _ mixed: Tensor, _ positions: Positions, _ layer: Int, _ pass: Pass
  ) -> (queries: Tensor, keys: Tensor) {
    let ends = heads + keyValueHeads
    func rotated(_ x: Tensor) -> Tensor {
      guard let rotary else { return x }
      let angles = positions.angles(for: rotary)
      return x.rotated(cosine: angles.cosine, sine: angles.sine)
    }
    if let headNorms {
      return (
        rotated(headNorms.query(mixed.slice(0..<heads, along: 2), layer, pass)),
        rotated(headNorms.key(mixed.slice(heads..<ends, along: 2), layer, pass))
      )
    }
    let both = rotated(mixed.slice(0..<ends, along: 2))
    return (both.slice(0..<heads, along: 2), both.slice(heads..<ends, along: 2))
  }

  private var scoreScale: Double { scale ?? 1 / Double(headWidth).squareRoot() }

  private func fused(
    query: Tensor, key: Tensor, value: Tensor, _ positions: Positions
  ) -> Tensor {
    func attend(_ mask: Tensor?, causal: Bool) -> Tensor {
      Tensor.attention(
        query: query, key: key, value: value, mask: mask, causal: causal, scale: scoreScale)
    }
    if let bias {
      return attend(positions.bias(bias) + positions.mask(window: window), causal: false)
    }
    return switch positions.visibility(window: window) {
    case .all: attend(nil, causal: false)
    case .causal: attend(nil, causal: true)
    case .mask(let mask): attend(mask, causal: false)
    }
  }
}

/// A norm of queries or keys.
package struct HeadNorm {
  /// What is normalised together.
  package enum Span {
    /// Each head's own vector (Qwen 3, Gemma 3).
    case head
    /// All heads' vectors, joined (OLMo 2).
    case all
  }

  package var norm: Norm
  package var span: Span = .head
  /// A scale of each head's own, where the family has one (StableLM 2 12B): [heads, headWidth].
  package var scale: Tensor?

  /// Normalises [batch, position, heads, headWidth].
  func callAsFunction(_ x: Tensor, _ layer: Int?, _ pass: Pass) -> Tensor {
    let normed: Tensor
    switch span {
    case .head: normed = norm(x, layer, pass)
    case .all:
      let joined = x.reshaped([x.size(0), x.size(1), x.size(2) * x.size(3)])
      normed = norm(joined, layer, pass).reshaped(x.shape)
    }
    return scale.map { normed * $0 } ?? normed
  }
}
