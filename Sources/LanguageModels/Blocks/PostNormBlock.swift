package import Tensors

/// Branches that read the stream and are normalised together with it (Vaswani and others 2017; BERT).
///
///     x ← N₁(x + attention(x));   x ← N₂(x + feedForward(x))
///
/// The stream is what the norms leave, so a block's branches do not add up to its update.
package struct PostNormBlock: Block {
  package var attention: any AttentionBranch
  /// N₁.
  var attentionNorm: Norm
  package var feedForward: any FeedForwardBranch
  /// N₂.
  var feedForwardNorm: Norm

  package func callAsFunction(
    _ x: Tensor, _ layer: Int, _ positions: Positions, _ cache: KeyValueCache?, _ pass: Pass
  ) -> Tensor {
    let before = pass(.residual(layer, .before), x)
    return fed(
      pass(
        .residual(layer, .middle),
        attentionNorm(
          before
            + attention(
              pass.reading(.attention(layer, .input), of: before), layer, positions, cache, pass),
          layer, pass, at: .attentionOutput)), layer, pass)
  }

  private func fed(_ middle: Tensor, _ layer: Int, _ pass: Pass) -> Tensor {
    pass(
      .residual(layer, .after),
      feedForwardNorm(
        middle + feedForward(pass.reading(.feedForward(layer, .input), of: middle), layer, pass),
        layer, pass,
        at: .feedForwardOutput))
  }

  package func halves(at layer: Int, _ positions: Positions) -> BlockHalves? {
    BlockHalves(
      norm: nil, attention: attention.maps(positions),
      middle: { attentionNorm($1 + attention.added(by: $0, layer, .plain)) },
      after: { fed($0, layer, .plain) })
  }

  package func sites(at layer: Int) -> Set<Site> {
    sites(
      at: layer, Site.Moment.allCases, attention, feedForward,
      norms: [.attentionOutput, .feedForwardOutput])
  }

  package var rule: BlockRule? {
    BlockRule(
      attention, feedForward,
      norms: PostNorms(attention: attentionNorm, feedForward: feedForwardNorm))
  }
  package var withoutRule: String? { nil }
  package var rotary: RotaryEmbedding? { attention.rotary }
}
