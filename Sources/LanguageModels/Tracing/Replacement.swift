/// A part of a block and the value that it is given in a rerun.
public struct Replacement: Sendable, Equatable {
  /// A part of a block, in the coordinates that its value has.
  public enum Part: Hashable, Sendable {
    /// All that a block adds to the residual stream: [width].
    case layer(Int)
    /// What a block's attention adds, after a norm of the branch's own: [width].
    case attention(Int)
    /// What a block's feed-forward network adds, after a norm of the branch's own: [width].
    case mlp(Int)
    /// A head's mix of values, before the output projection: [headWidth].
    case head(Int, Int)
    /// Some neurons of a block, as the output projection receives them: one value each.
    case neurons(Int, [Int])

    /// The block.
    public var layer: Int {
      switch self {
      case .layer(let layer), .attention(let layer), .mlp(let layer): layer
      case .head(let layer, _), .neurons(let layer, _): layer
      }
    }

    /// Where the part is seen; a whole block is not a value at a site of its own.
    var site: Site? {
      switch self {
      case .layer: nil
      case .attention(let layer): .attention(layer, .output)
      case .mlp(let layer): .feedForward(layer, .output)
      case .head(let layer, _): .attention(layer, .heads)
      case .neurons(let layer, _): .feedForward(layer, .hidden)
      }
    }
  }

  /// What is replaced.
  public var part: Part
  /// What by.
  public var value: [Double]

  /// Pairs a part with its value.
  public init(_ part: Part, by value: [Double]) {
    self.part = part
    self.value = value
  }
}

extension LanguageModel {
  /// How many numbers a part's value has.
  ///
  /// - Throws: `ModelError` for a layer, head or neuron that the model does not have.
  public func size(of part: Replacement.Part) throws -> Int {
    guard (0..<shape.layers).contains(part.layer) else {
      throw ModelError.noPart("layer \(part.layer)", "layers", count: shape.layers, shape)
    }
    if let site = part.site, !sites.contains(site) {
      throw ModelError(
        .usage,
        "\(shape.architecture) has no site '\(site)', so what would stand there cannot be replaced."
      )
    }
    switch part {
    case .layer, .attention, .mlp: return shape.width
    case .head(_, let head):
      guard (0..<shape.heads).contains(head) else {
        throw ModelError.noPart("head \(head)", "heads", count: shape.heads, shape)
      }
      return shape.headWidth
    case .neurons(let layer, let neurons):
      if let wrong = neurons.first(where: { $0 < 0 || $0 >= shape.hidden }) {
        throw ModelError.noPart("neuron \(wrong)", "neurons", count: shape.hidden, shape)
      }
      guard !neurons.isEmpty, Set(neurons).count == neurons.count else {
        throw ModelError(
          .usage,
          "The neurons to replace in layer \(layer) are none, or some twice; name each once.")
      }
      return neurons.count
    }
  }
}

extension ModelError {
  static func noPart(_ found: String, _ kind: String, count: Int, _ shape: ModelShape) -> ModelError
  {
    ModelError(
      .usage,
      "There is no \(found) in this \(shape.architecture); its \(kind) are 0 to \(count - 1).")
  }
}
