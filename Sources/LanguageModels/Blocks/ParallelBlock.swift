package import Tensors

/// Branches that read the same stream and add to it together (GPT-J, GPT-NeoX, Falcon).
///
///     x ← x + attention(N₁(x)) + feedForward(N₂(x))
///
/// There is no stream between them, so no `.middle`.
package struct ParallelBlock: Block {
  /// N₁.
  var attentionNorm: Norm
  package var attention: any AttentionBranch
  /// N₂; nil where both branches read N₁(x).
  var feedForwardNorm: Norm?
  package var feedForward: any FeedForwardBranch

  package func callAsFunction(
    _ x: Tensor, _ layer: Int, _ positions: Positions, _ cache: KeyValueCache?, _ pass: Pass
  ) -> Tensor {
    let before = pass(.residual(layer, .before), x)
    let seen = attentionNorm(
      pass.reading(.attention(layer, .input), of: before), layer, pass, at: .attentionInput)
    let attended = attention(seen, layer, positions, cache, pass)
    // Where both read N₁(x), it is computed once, unless one of the readings is looked at by itself.
    let apart: [Site] = [
      .attention(layer, .input), .feedForward(layer, .input), .scale(layer, .attentionInput),
      .scale(layer, .feedForwardInput),
    ]
    let network =
      feedForwardNorm == nil && !apart.contains(where: pass.wants)
      ? seen
      : (feedForwardNorm ?? attentionNorm)(
        pass.reading(.feedForward(layer, .input), of: before), layer, pass, at: .feedForwardInput)
    let fed = feedForward(network, layer, pass)
    return pass(.residual(layer, .after), before + attended + fed)
  }

  package func halves(at layer: Int, _ positions: Positions) -> BlockHalves? {
    BlockHalves(norm: attentionNorm, attention: attention.maps(positions)) { joined, before in
      before + attention.added(by: joined, layer, .plain)
        + feedForward((feedForwardNorm ?? attentionNorm)(before), layer, .plain)
    }
  }

  package func sites(at layer: Int) -> Set<Site> {
    sites(
      at: layer, [.before, .after], attention, feedForward,
      norms: [.attentionInput, .feedForwardInput])
  }

  package var rule: BlockRule? { BlockRule(attention, feedForward) }
  package var withoutRule: String? { nil }
  package var rotary: RotaryEmbedding? { attention.rotary }
}
