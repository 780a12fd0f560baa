internal import Foundation
internal import Tensors

/// Causal self-attention (Vaswani and others 2017), with grouped key-value heads (Ainslie and others 2023).
package struct Attention {
  /// Queries, keys and values in one product: [(heads + 2 · keyValueHeads) · headWidth, width].
  var input: Linear
  /// W_O: [width, heads · headWidth].
  package var output: Linear
  var heads: Int
  var keyValueHeads: Int
  var headWidth: Int
  /// The branch's own norm after W_O, where the family has one.
  package var outputNorm: Norm?
  /// Nil where positions are learned vectors.
  var rotary: RotaryEmbedding?
  /// How far back a query sees, itself included; nil for all the way.
  var window: Int?

  /// What attention adds to the residual stream.
  func callAsFunction(
    _ x: Tensor, _ layer: Int, _ positions: Positions, _ cache: KeyValueCache?, _ pass: Pass
  ) -> Tensor {
    let batch = x.size(0)
    let count = x.size(1)
    let scale = 1 / Double(headWidth).squareRoot()

    // [batch, position, heads + 2 · keyValueHeads, headWidth]
    let mixed = input(x).reshaped([batch, count, heads + 2 * keyValueHeads, headWidth])
    var turning = mixed.slice(0..<heads + keyValueHeads, along: 2)
    if let rotary {
      let angles = positions.angles(for: rotary)
      turning = turning.rotated(cosine: angles.cosine, sine: angles.sine)
    }
    // [batch, heads, position, headWidth], keys and values with fewer heads
    let query = pass(.attention(layer, .query), turning.slice(0..<heads, along: 2).transposed(1, 2))
    let newKey = pass(
      .attention(layer, .key),
      turning.slice(heads..<heads + keyValueHeads, along: 2).transposed(1, 2))
    let newValue = pass(
      .attention(layer, .value),
      mixed.slice(heads + keyValueHeads..<heads + 2 * keyValueHeads, along: 2).transposed(1, 2))
    let (key, value) =
      cache?.append(key: newKey, value: newValue, layer: layer) ?? (newKey, newValue)

    let mixture: Tensor
    if pass.wants(.attention(layer, .pattern)) {
      let group = heads / keyValueHeads
      let keys = group == 1 ? key : key.repeatingEach(group, along: 1)
      let values = group == 1 ? value : value.repeatingEach(group, along: 1)
      let scores = query.matmul(keys.transposed(2, 3)) * scale + positions.mask(window: window)
      let pattern = pass(.attention(layer, .pattern), scores.softmax(along: -1))
      mixture = pattern.matmul(values)
    } else {
      mixture = fused(query: query, key: key, value: value, positions, scale: scale)
    }
    // [batch, position, heads, headWidth]
    let perHead = pass(.attention(layer, .heads), mixture.transposed(1, 2))
    let joined = perHead.reshaped([batch, count, heads * headWidth])
    let added = output(joined)
    return pass(.attention(layer, .output), outputNorm?(added) ?? added)
  }

  private func fused(
    query: Tensor, key: Tensor, value: Tensor, _ positions: Positions, scale: Double
  ) -> Tensor {
    switch positions.visibility(window: window) {
    case .all:
      Tensor.attention(
        query: query, key: key, value: value, mask: nil, causal: false, scale: scale)
    case .causal:
      Tensor.attention(
        query: query, key: key, value: value, mask: nil, causal: true, scale: scale)
    case .mask(let mask):
      Tensor.attention(
        query: query, key: key, value: value, mask: mask, causal: false, scale: scale)
    }
  }
}
