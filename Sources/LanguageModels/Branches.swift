internal import Tensors

// A block adds two branches to the residual stream,
//
//     attention(x) = D (W_O [c_1 … c_H] + b_O),     mlp(x) = D (W_down n + b_down),
//
// with c_h the heads' mixes of values (`Site.attention(_, .heads)`) and n the neurons
// (`Site.feedForward(_, .hidden)`). D is the identity, or a norm of the branch's own at the scale
// that the run had (sandwich norms): a fixed linear map, so that sums stay sums. Both branches are
// therefore sums over heads and biases, and over neurons and biases; a mixture's branch is the sum of what
// its experts add (`Site.feedForward(_, .experts)`).
//
// In a post-norm block x = D₁(z + attention) + β₁ and r = D₂(x + mlp) + β₂: the branches reach the stream
// through its norms, and what the norms make of the stream itself is a further part.

/// How what a block adds to the residual stream is a sum.
public enum BlockRule {
  /// Attention and a feed-forward network.
  case branches(BlockBranches)
  /// One mixer, which is not looked into (state-space blocks).
  case mixer
}

/// The linear maps by which a block's heads and neurons add to the residual stream.
public struct BlockBranches {
  /// From the heads' mixes, joined: [width, heads · headWidth].
  public var attention: Branch
  /// From the neurons: [width, hidden]; nil for a mixture, whose experts add up.
  public var feedForward: Branch?
  /// The norms of a post-norm block.
  public var norms: PostNorms?

  /// Pairs a block's branches.
  public init(attention: Branch, feedForward: Branch?, norms: PostNorms? = nil) {
    self.attention = attention
    self.feedForward = feedForward
    self.norms = norms
  }
}

/// The norms that a post-norm block ends its branches with, each over branch and stream together.
public struct PostNorms {
  /// N₁, after attention.
  public var attention: Norm
  /// N₂, after the feed-forward network.
  public var feedForward: Norm

  /// Pairs the norms.
  public init(attention: Norm, feedForward: Norm) {
    self.attention = attention
    self.feedForward = feedForward
  }
}

/// One branch's way out.
public struct Branch {
  /// The output projection, with its bias.
  public var output: Linear
  /// The branch's own norm after it, where the family has one.
  public var norm: Norm?

  /// Describes a branch.
  public init(output: Linear, norm: Norm? = nil) {
    self.output = output
    self.norm = norm
  }
}
