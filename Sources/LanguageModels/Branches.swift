internal import Tensors

// A pre-norm block adds two branches to the residual stream,
//
//     attention(x) = D (W_O [c_1 … c_H] + b_O),     mlp(x) = D (W_down n + b_down),
//
// with c_h the heads' mixes of values (`Site.attention(_, .heads)`) and n the neurons
// (`Site.feedForward(_, .hidden)`). D is the identity, or a norm of the branch's own at the scale
// that the run had (sandwich norms): a fixed linear map, so that sums stay sums. Both branches are
// therefore sums over heads and biases, and over neurons and biases.

/// The linear maps by which a block's heads and neurons add to the residual stream.
public struct BlockBranches {
  /// From the heads' mixes, joined: [width, heads · headWidth].
  public var attention: Branch
  /// From the neurons: [width, hidden].
  public var feedForward: Branch

  /// Pairs a block's branches.
  public init(attention: Branch, feedForward: Branch) {
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
