public import LanguageModels

/// What is patched: a value of one run that another run goes on with.
public enum PatchUnit: String, Sendable, CaseIterable {
  /// What enters a block.
  case residual
  /// What its attention adds to the stream.
  case attention
  /// What its feed-forward network adds.
  case mlp
  /// A head's mix of values.
  case head

  /// Where a block's value is seen.
  public func site(_ layer: Int) -> Site {
    switch self {
    case .residual: .residual(layer, .before)
    case .attention: .attention(layer, .output)
    case .mlp: .feedForward(layer, .output)
    case .head: .attention(layer, .heads)
    }
  }

  /// The axes of its grid.
  var axes: [String] { ["layer", self == .head ? "head" : "position"] }
}

/// Which run goes into which.
public enum PatchDirection: String, Sendable, CaseIterable {
  /// Clean values into the corrupted run: what is enough to bring the answer back.
  case denoise
  /// Corrupted values into the clean run: what the answer cannot do without.
  case noise
}
