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
  /// The scale 1/σ of a block's norm, of RMS norms 1/√(mean(x²) + ε): [batch, position].
  ///
  /// A pass that visits it has its norm computed in parts, which may round otherwise.
  case scale(Int, NormPlace)
  /// What the unembedding receives, or the last norm of an encoder without one leaves:
  /// [batch, position, width].
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

  /// Where a block's norms stand.
  public enum NormPlace: String, Hashable, Sendable, CaseIterable {
    /// Before attention.
    case attentionInput = "attention-input"
    /// At attention's end: over what it adds, or over the stream with it.
    case attentionOutput = "attention-output"
    /// Before the feed-forward network.
    case feedForwardInput = "feed-forward-input"
    /// At the network's end.
    case feedForwardOutput = "feed-forward-output"
  }

  /// The values inside attention.
  public enum AttentionPart: String, Hashable, Sendable, CaseIterable {
    /// What it reads of the stream, before its norm; changing it leaves the stream alone:
    /// [batch, position, width].
    case input
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
    /// What it reads of the stream, before its norm; changing it leaves the stream alone:
    /// [batch, position, width].
    case input
    /// The logits by which a mixture chooses experts: [batch, position, experts].
    case router
    /// What each expert adds, zero where it is not chosen, and last what an expert adds that all
    /// tokens share, where there is one: [batch, position, experts, width].
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
    case .scale(let layer, let place): "scale.\(place.rawValue).\(layer)"
    case .finalNorm: "final-norm"
    case .logits: "logits"
    }
  }
}
