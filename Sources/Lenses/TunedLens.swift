public import Tensors

// The tuned lens (Belrose and others 2023, arXiv:2303.08112) reads a state in the middle of the
// network as the last state that it will become. Its translator i is an affine map beside the
// identity,
//
//     h ↦ h + A_i h + b_i,
//
// and it reads the INPUT of block i: the embedding for i = 0, else the state after block i − 1. The
// state after the last block is what the final norm receives, so it has no translator and needs
// none. (Counting states after blocks from 0 instead shifts every translator by one block.)

/// A tuned lens: one affine translator for the input of each block.
public struct TunedLens {
  /// A translator h ↦ h + A h + b.
  public struct Translator {
    /// A: [width, width].
    public var weight: Tensor
    /// b: [width]; nil for a lens without biases.
    public var bias: Tensor?

    /// Describes a translator.
    public init(weight: Tensor, bias: Tensor?) {
      self.weight = weight
      self.bias = bias
    }

    /// Translates states along the last dimension.
    public func callAsFunction(_ state: Tensor) -> Tensor {
      state + state.linear(weight, bias: bias)
    }
  }

  /// The translators; number i reads the input of block i.
  public let translators: [Translator]
  /// Where the lens comes from.
  public let origin: Origin

  /// Joins translators.
  public init(_ translators: [Translator], origin: Origin) {
    self.translators = translators
    self.origin = origin
  }

  /// Translates what enters a block.
  ///
  /// - Parameters:
  ///   - state: […, width] residual vectors that enter the block, of the translators' element type.
  ///   - block: from 0; one less than the number of blocks at most, as the state after the last
  ///     block has no translator.
  /// - Returns: of the state's shape, to be read by the model's final norm and head.
  /// - Complexity: one product of width × width per row.
  public func callAsFunction(_ state: Tensor, readingInputOf block: Int) -> Tensor {
    translators[block](state)
  }

  /// Translates the state after a block, −1 for the embedding; the last block's state is unchanged.
  public func callAsFunction(_ state: Tensor, after layer: Int) -> Tensor {
    layer + 1 < translators.count ? translators[layer + 1](state) : state
  }
}

extension TunedLens {
  /// Where a lens comes from, and on what it was trained.
  public struct Origin: Sendable, Equatable {
    /// The file's name.
    public var file: String
    /// The SHA-256 of the file, in hex.
    public var sha256: String
    /// What trained it says of itself; nil for a lens of another program.
    public var provenance: Provenance?

    /// Gathers the values.
    public init(file: String, sha256: String, provenance: Provenance?) {
      self.file = file
      self.sha256 = sha256
      self.provenance = provenance
    }
  }
}
