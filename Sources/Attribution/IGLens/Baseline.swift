/// Where the path of an explanation starts.
public enum Baseline: Sendable, Equatable {
  /// The mean of the first chosen layer's states over positions that the explained one sees.
  case mean
  /// The same over all positions, future ones included, as the published script has it.
  case meanAll
  /// `mean` without position 0, whose norm is often a hundred times the others'.
  case meanWithoutSink
  /// The zero vector.
  case zero
  /// The embedding at the explained position.
  case embedding
  /// The last state of another text.
  case finalOf(String)

  /// The name in commands and results.
  public var name: String {
    switch self {
    case .mean: "mean"
    case .meanAll: "mean-all"
    case .meanWithoutSink: "mean-nosink"
    case .zero: "zero"
    case .embedding: "embedding"
    case .finalOf: "final-of"
    }
  }

  /// Which positions are averaged for a prediction made at `position` of a text of `length`: those that
  /// it sees, up to itself in a decoder and all of them in an encoder.
  func averaged(at position: Int, length: Int, isCausal: Bool = true) -> Range<Int>? {
    let position = isCausal ? position : length - 1
    return switch self {
    case .mean: 0..<position + 1
    case .meanAll: 0..<length
    // At position 0 there is nothing else: the state itself.
    case .meanWithoutSink: position == 0 ? 0..<1 : 1..<position + 1
    case .zero, .embedding, .finalOf: nil
    }
  }
}
