extension Site {
  /// What a dimension of a site's value counts.
  public enum Axis: String, Sendable, CaseIterable {
    /// Tokens.
    case position
    /// The tokens that look.
    case queryPosition = "query position"
    /// The tokens that are looked at.
    case keyPosition = "key position"
    /// Query heads.
    case heads
    /// Key-value heads.
    case keyValueHeads = "key-value heads"
    /// The numbers of a head.
    case headWidth = "head width"
    /// The numbers of the residual stream.
    case width
    /// Neurons.
    case hidden
    /// Experts, one that all tokens share last.
    case experts
    /// Tokens of the vocabulary.
    case vocabulary
  }

  /// The dimensions of the site's value behind `batch`, outermost first.
  public var axes: [Axis] {
    switch self {
    case .embedding, .residual, .finalNorm: [.position, .width]
    case .logits: [.position, .vocabulary]
    case .scale: [.position]
    case .attention(_, let part):
      switch part {
      case .input: [.position, .width]
      case .query: [.heads, .position, .headWidth]
      case .key, .value: [.keyValueHeads, .position, .headWidth]
      case .pattern: [.heads, .queryPosition, .keyPosition]
      case .heads: [.position, .heads, .headWidth]
      case .output: [.position, .width]
      }
    case .feedForward(_, let part):
      switch part {
      case .input: [.position, .width]
      case .router: [.position, .experts]
      case .experts: [.position, .experts, .width]
      case .gate, .up, .hidden: [.position, .hidden]
      case .output: [.position, .width]
      }
    }
  }

  /// Which dimension, counted behind `batch`, is the one of the tokens that a value is of.
  var positionAxis: Int { axes.firstIndex { $0 == .position || $0 == .queryPosition } ?? 0 }
}
