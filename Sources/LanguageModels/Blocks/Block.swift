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

  /// How what it adds to the residual stream is a sum; nil where there is no rule.
  var rule: BlockRule? { get }

  /// How queries and keys are turned by position; nil where they are not.
  var rotary: RotaryEmbedding? { get }

  /// What it is, for people.
  var facts: BlockFacts { get }

  /// What in it no backward rule knows, for an error; nil where each nonlinearity has one.
  var withoutRule: String? { get }

  /// The block in two, cut at the heads' mixes; nil where it has none, or more than attention carries between
  /// tokens.
  func halves(at layer: Int, _ positions: Positions) -> BlockHalves?
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
  /// How queries and keys are turned by position; nil where they are not.
  var rotary: RotaryEmbedding? { get }
  /// What it is, for people.
  var facts: AttentionFacts { get }
  /// Its maps of single tokens; nil where its scores are of another kind than products of queries and keys.
  func maps(_ positions: Positions) -> AttentionMaps?
}

extension AttentionBranch {
  package var rotary: RotaryEmbedding? { nil }
  package func maps(_ positions: Positions) -> AttentionMaps? { nil }

  /// What the heads' mixes, joined, [batch, position, heads · headWidth], add to the residual stream.
  func added(by joined: Tensor, _ layer: Int, _ pass: Pass) -> Tensor {
    let branch = output(joined, layer, pass)
    let normed = outputNorm?(branch, layer, pass, at: .attentionOutput) ?? branch
    return pass(.attention(layer, .output), normed)
  }
}

/// A block's feed-forward network: what it adds to the residual stream, and where it is seen.
package protocol FeedForwardBranch {
  /// What the network adds, after a norm of the branch's own: [batch, position, width].
  func callAsFunction(_ x: Tensor, _ layer: Int, _ pass: Pass) -> Tensor

  /// The sites within.
  var parts: [Site.FeedForwardPart] { get }
  /// The branch's own norm at its end, where the family has one.
  var outputNorm: Norm? { get set }
  /// What it is, for people.
  var facts: FeedForwardFacts { get }
}

extension Block {
  package var rotary: RotaryEmbedding? { nil }
  package func halves(at layer: Int, _ positions: Positions) -> BlockHalves? { nil }

  /// Sites of a block with these branches that shows the residual stream at these moments, and what the
  /// branches read, and has these norms beside its branches' own.
  func sites(
    at layer: Int, _ moments: [Site.Moment], _ attention: any AttentionBranch,
    _ feedForward: any FeedForwardBranch, norms: [Site.NormPlace]
  ) -> Set<Site> {
    let own: [Site.NormPlace] =
      (attention.outputNorm == nil ? [] : [.attentionOutput])
      + (feedForward.outputNorm == nil ? [] : [.feedForwardOutput])
    return Set(
      moments.map { .residual(layer, $0) }
        + ([.input] + attention.parts).map { .attention(layer, $0) }
        + ([.input] + feedForward.parts).map { .feedForward(layer, $0) }
        + (norms + own).map { .scale(layer, $0) })
  }
}

extension Site.AttentionPart {
  /// What ordinary attention shows; what it reads is the block's.
  static let within = allCases.filter { $0 != .input }
}

extension BlockRule {
  /// The rule of branches that add to the stream, through a post-norm block's norms if it is one; nil for
  /// a feed-forward network that is a sum of neither neurons nor experts.
  init?(
    _ attention: any AttentionBranch, _ feedForward: any FeedForwardBranch,
    norms: PostNorms? = nil
  ) {
    let neurons = (feedForward as? FeedForward).map {
      Branch(output: $0.output, norm: $0.outputNorm)
    }
    guard neurons != nil || feedForward.parts.contains(.experts) else { return nil }
    self = .branches(
      BlockBranches(
        attention: Branch(output: attention.output, norm: attention.outputNorm),
        feedForward: neurons, norms: norms))
  }
}
