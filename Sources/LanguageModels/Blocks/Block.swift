package import Tensors

// A block is a wiring: where its norms stand and how its two branches meet the residual stream. Each
// wiring is a file of its own (PreNormBlock, ParallelBlock, PostNormBlock); what a branch computes is
// another matter, and any branch fits any wiring.

/// A block of a transformer.
package protocol Block {
  /// The residual stream after the block, from the one before: [batch, position, width].
  func callAsFunction(
    _ x: Tensor, _ layer: Int, _ positions: Positions, _ cache: KeyValueCache?, _ pass: Pass
  ) -> Tensor

  /// The sites that the block shows when it stands at a layer.
  func sites(at layer: Int) -> Set<Site>

  /// How its heads and neurons add to the residual stream; nil where there is no rule.
  var branches: BlockBranches? { get }
}

/// A block's attention: what it adds to the residual stream, and where it is seen.
package protocol AttentionBranch {
  /// What attention adds, after a norm of the branch's own: [batch, position, width].
  func callAsFunction(
    _ x: Tensor, _ layer: Int, _ positions: Positions, _ cache: KeyValueCache?, _ pass: Pass
  ) -> Tensor

  /// The sites within.
  var parts: [Site.AttentionPart] { get }
  /// W_O: [width, heads · headWidth].
  var output: Linear { get set }
  /// The branch's own norm after W_O, where the family has one.
  var outputNorm: Norm? { get set }
}

/// A block's feed-forward network: what it adds to the residual stream, and where it is seen.
package protocol FeedForwardBranch {
  /// What the network adds, after a norm of the branch's own: [batch, position, width].
  func callAsFunction(_ x: Tensor, _ layer: Int, _ pass: Pass) -> Tensor

  /// The sites within.
  var parts: [Site.FeedForwardPart] { get }
  /// The branch's own norm at its end, where the family has one.
  var outputNorm: Norm? { get set }
}

extension Block {
  /// Sites of a block with these branches that shows the residual stream at these moments.
  func sites(
    at layer: Int, _ moments: [Site.Moment], _ attention: any AttentionBranch,
    _ feedForward: any FeedForwardBranch
  ) -> Set<Site> {
    Set(
      moments.map { .residual(layer, $0) } + attention.parts.map { .attention(layer, $0) }
        + feedForward.parts.map { .feedForward(layer, $0) })
  }
}

extension BlockBranches {
  /// The rule of branches that add to the stream; nil for a feed-forward network without neurons.
  init?(_ attention: any AttentionBranch, _ feedForward: any FeedForwardBranch) {
    guard let network = feedForward as? FeedForward else { return nil }
    self.init(
      attention: Branch(output: attention.output, norm: attention.outputNorm),
      feedForward: Branch(output: network.output, norm: network.outputNorm))
  }
}
