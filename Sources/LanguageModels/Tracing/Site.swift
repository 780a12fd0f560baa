/// A place in the network where a value can be read or replaced.
///
/// Shapes: `batch`, `position`, `width` (residual stream), `heads`, `headWidth`, `hidden` (MLP),
/// `vocabulary`.
public enum Site: Hashable, Sendable {
  /// What the first block receives: [batch, position, width].
  case embedding
  /// The residual stream at a block: [batch, position, width].
  ///
  /// Taken before the final norm: `.residual(last, .after)` is what the final norm receives.
  case residual(Int, Moment)
  /// Inside a block's attention.
  case attention(Int, AttentionPart)
  /// Inside a block's feed-forward network.
  case feedForward(Int, FeedForwardPart)
  /// What the unembedding receives: [batch, position, width].
  case finalNorm
  /// The logits: [batch, position, vocabulary].
  case logits

  /// When the residual stream is looked at.
  public enum Moment: String, Hashable, Sendable, CaseIterable {
    /// Entering the block.
    case before
    /// Between attention and feed-forward network.
    case middle
    /// Leaving the block.
    case after
  }

  /// The values inside attention.
  public enum AttentionPart: String, Hashable, Sendable, CaseIterable {
    /// Queries after position rotation: [batch, heads, position, headWidth].
    case query
    /// Keys after position rotation: [batch, key-value heads, position, headWidth].
    case key
    /// Values: [batch, key-value heads, position, headWidth].
    case value
    /// Attention probabilities: [batch, heads, queryPosition, keyPosition].
    case pattern
    /// Each head's mix of values, before the output projection: [batch, position, heads, headWidth].
    case heads
    /// What attention adds to the residual stream: [batch, position, width].
    case output
  }

  /// The values inside a feed-forward network.
  public enum FeedForwardPart: String, Hashable, Sendable, CaseIterable {
    /// The logits by which a mixture chooses experts: [batch, position, experts].
    case router
    /// What each expert adds, zero where it is not chosen: [batch, position, experts, width].
    case experts
    /// The gate before its activation, where there is one: [batch, position, hidden].
    case gate
    /// The values that enter the neurons: [batch, position, hidden].
    case up
    /// The neurons: what the output projection receives: [batch, position, hidden].
    case hidden
    /// What the network adds to the residual stream: [batch, position, width].
    case output
  }
}

extension Site: CustomStringConvertible {
  /// The name in commands and files: `residual.after.5`.
  public var description: String {
    switch self {
    case .embedding: "embedding"
    case .residual(let layer, let moment): "residual.\(moment.rawValue).\(layer)"
    case .attention(let layer, let part): "attention.\(part.rawValue).\(layer)"
    case .feedForward(let layer, let part): "feed-forward.\(part.rawValue).\(layer)"
    case .finalNorm: "final-norm"
    case .logits: "logits"
    }
  }
}
