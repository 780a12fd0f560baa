public import LanguageModels

/// What a circuit is made of; a unit is one of them in a layer, at a position.
public enum UnitKind: String, Sendable, CaseIterable {
  /// A number that enters a feed-forward network's output projection.
  case neuron
  /// A head's mix of values.
  case head
  /// A coordinate of what attention adds to the residual stream.
  case attention
  /// A coordinate of what a feed-forward network adds.
  case mlp
  /// A coordinate of the residual stream after a block.
  case residual

  /// Where a layer's units are seen.
  public func site(_ layer: Int) -> Site {
    switch self {
    case .neuron: .feedForward(layer, .hidden)
    case .head: .attention(layer, .heads)
    case .attention: .attention(layer, .output)
    case .mlp: .feedForward(layer, .output)
    case .residual: .residual(layer, .after)
    }
  }

  /// How many there are in a layer at a position.
  public func count(in shape: ModelShape) -> Int {
    switch self {
    case .neuron: shape.hidden
    case .head: shape.heads
    case .attention, .mlp, .residual: shape.width
    }
  }
}
