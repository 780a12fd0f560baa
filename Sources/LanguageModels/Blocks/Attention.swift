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
  var rotary: RotaryEmbedding?
  /// How far a query sees, itself included; nil for all the way.
  var window: Int?
  /// What scores are multiplied by; nil for 1/√headWidth.
  var scale: Double?
  /// κ of κ·tanh(score/κ); nil for none.
  var softCap: Double?
  /// What is added to the scores; nil for nothing.
  var bias: RelativeBias?

  package var parts: [Site.AttentionPart] { Site.AttentionPart.allCases }

  package func callAsFunction(
    _ x: Tensor, _ layer: Int, _ positions: Positions, _ cache: KeyValueCache?, _ pass: Pass
  ) -> Tensor {
    let batch = x.size(0)
    let count = x.size(1)

    // [batch, position, heads + 2 · keyValueHeads, headWidth]
    let mixed = input(x).reshaped([batch, count, heads + 2 * keyValueHeads, headWidth])
    var turning = mixed.slice(0..<heads + keyValueHeads, along: 2)
    if let headNorms {
      turning = Tensor.concatenating(
        [
          headNorms.query(turning.slice(0..<heads, along: 2)),
          headNorms.key(turning.slice(heads..<heads + keyValueHeads, along: 2)),
        ], along: 2)
    }
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
    if softCap != nil || pass.wants(.attention(layer, .pattern)) {
      let group = heads / keyValueHeads
      let keys = group == 1 ? key : key.repeatingEach(group, along: 1)
      let values = group == 1 ? value : value.repeatingEach(group, along: 1)
      var scores = query.matmul(keys.transposed(2, 3)) * scoreScale
      if let softCap { scores = (scores * (1 / softCap)).tanh * softCap }
      if let bias { scores = scores + positions.bias(bias) }
      scores = scores + positions.mask(window: window)
      let pattern = pass(.attention(layer, .pattern), scores.softmax(along: -1))
      mixture = pattern.matmul(values)
    } else {
      mixture = fused(query: query, key: key, value: value, positions)
    }
    // [batch, position, heads, headWidth]
    let perHead = pass(.attention(layer, .heads), mixture.transposed(1, 2))
    let joined = perHead.reshaped([batch, count, heads * headWidth])
    let added = output(joined)
    return pass(.attention(layer, .output), outputNorm?(added) ?? added)
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
  enum Span {
    /// Each head's own vector (Qwen 3, Gemma 3).
    case head
    /// All heads' vectors, joined (OLMo 2).
    case all
  }

  var norm: Norm
  var span: Span = .head

  /// Normalises [batch, position, heads, headWidth].
  func callAsFunction(_ x: Tensor) -> Tensor {
    switch span {
    case .head: norm(x)
    case .all:
      norm(x.reshaped([x.size(0), x.size(1), x.size(2) * x.size(3)])).reshaped(x.shape)
    }
  }
}
