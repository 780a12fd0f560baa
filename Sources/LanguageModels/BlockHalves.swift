package import Tensors

// A block carries between tokens in one place only, its heads' mixes of values: u = attention(z). What follows
// is of each token by itself: z′ = G(u, z), with z where the residual stream enters beside u. So the block is
// two functions, and the second can be run on any u for any number of rows at once.

/// A block cut at its heads' mixes: z → u, which carries between tokens, and (u, z) → z′, which does not.
package struct BlockHalves {
  /// What attention reads is N(z); nil for z itself.
  package var norm: Norm?
  /// Attention's maps of single tokens; nil where its scores are of another kind.
  package var attention: AttentionMaps?
  /// The stream between the branches, from u and z; nil where there is none.
  package var middle: ((_ joined: Tensor, _ stream: Tensor) -> Tensor)?
  /// z′ from the stream between; nil where there is none.
  package var after: ((_ middle: Tensor) -> Tensor)?
  /// z′ from u, [batch, position, heads · headWidth], and z, [batch, position, width].
  package var whole: (_ joined: Tensor, _ stream: Tensor) -> Tensor

  /// A block with a stream between its branches.
  init(
    norm: Norm?, attention: AttentionMaps?, middle: @escaping (Tensor, Tensor) -> Tensor,
    after: @escaping (Tensor) -> Tensor
  ) {
    self.init(norm: norm, attention: attention) { after(middle($0, $1)) }
    self.middle = middle
    self.after = after
  }

  /// A block whose branches read the same stream.
  init(
    norm: Norm?, attention: AttentionMaps?, whole: @escaping (Tensor, Tensor) -> Tensor
  ) {
    self.norm = norm
    self.attention = attention
    self.whole = whole
  }
}

/// Attention as maps of single tokens, and what joins them:
/// α = softmax(cap(scale · qᵀk) + added), u = α v.
package struct AttentionMaps {
  /// [heads · headWidth, width].
  package var query: Linear
  /// [keyValueHeads · headWidth, width].
  package var key: Linear
  /// [keyValueHeads · headWidth, width].
  package var value: Linear
  /// Query heads.
  package var heads: Int
  /// Key-value heads, each of which serves heads / keyValueHeads query heads in a row.
  package var keyValueHeads: Int
  /// The width of a head.
  package var headWidth: Int
  /// The norms of queries and keys before rotation.
  package var headNorms: (query: HeadNorm, key: HeadNorm)?
  /// By which queries and keys are turned: [position, pair] each; nil where they are not.
  package var angles: (cosine: Tensor, sine: Tensor)?
  /// What products of queries and keys are multiplied by.
  package var scale: Double
  /// κ of κ · tanh(score/κ); nil for none.
  package var softCap: Double?
  /// Mask and bias: [1 or heads, query, key], or with a 1 before.
  package var added: Tensor
}

extension Transformer {
  /// A block cut at its heads' mixes, in a text that stands at these positions; nil where it cannot be.
  package func halves(of layer: Int, _ positions: Positions) -> BlockHalves? {
    blocks[layer].halves(at: layer, positions)
  }
}
