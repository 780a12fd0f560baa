package import Tensors

/// Branches that read the normalised stream and add to the stream itself, one after the other.
///
///     x ← x + attention(N₁(x));   x ← x + feedForward(N₂(x))
///
/// GPT-2, Llama and most decoders. With norms at the branches' ends too (Gemma's sandwich), or only
/// there (OLMo 2), the branches hold them: they are part of what is added.
package struct PreNormBlock: Block {
  /// N₁; nil where attention reads the stream as it is.
  var attentionNorm: Norm?
  package var attention: any AttentionBranch
  /// N₂; nil where the network reads the stream as it is.
  var feedForwardNorm: Norm?
  package var feedForward: any FeedForwardBranch

  package func callAsFunction(
    _ x: Tensor, _ layer: Int, _ positions: Positions, _ cache: KeyValueCache?, _ pass: Pass
  ) -> Tensor {
    let before = pass(.residual(layer, .before), x)
    let read = pass.reading(.attention(layer, .input), of: before)
    let seen = attentionNorm?(read, layer, pass, at: .attentionInput) ?? read
    return fed(
      pass(.residual(layer, .middle), before + attention(seen, layer, positions, cache, pass)),
      layer, pass)
  }

  private func fed(_ middle: Tensor, _ layer: Int, _ pass: Pass) -> Tensor {
    let read = pass.reading(.feedForward(layer, .input), of: middle)
    let seen = feedForwardNorm?(read, layer, pass, at: .feedForwardInput) ?? read
    return pass(.residual(layer, .after), middle + feedForward(seen, layer, pass))
  }

  package func halves(at layer: Int, _ positions: Positions) -> BlockHalves? {
    BlockHalves(
      norm: attentionNorm, attention: attention.maps(positions),
      middle: { $1 + attention.added(by: $0, layer, .plain) }, after: { fed($0, layer, .plain) })
  }

  package func sites(at layer: Int) -> Set<Site> {
    sites(
      at: layer, Site.Moment.allCases, attention, feedForward,
      norms: (attentionNorm == nil ? [] : [.attentionInput])
        + (feedForwardNorm == nil ? [] : [.feedForwardInput]))
  }

  package var rule: BlockRule? { BlockRule(attention, feedForward) }
  package var withoutRule: String? { nil }
  package var rotary: RotaryEmbedding? { attention.rotary }
}
