public import Tensors

/// How the states of a path are read where it is not the residual stream itself.
///
/// A reading adds something to each state, h_ℓ = r_ℓ + o_ℓ, nothing after the last block. So paths
/// still end at the model's own state, and each segment has one part more, o_ℓj − o_ℓ(j−1), for what no
/// block produced.
public struct StateReading {
  /// What the additions are.
  public enum Kind: Sendable, Equatable {
    /// The later blocks' mean updates, h_ℓ = r_ℓ + Σ_(k>ℓ) ū_k.
    case completion
    /// A tuned lens's translators (Belrose and others 2023), h_ℓ = r_ℓ + A r_ℓ + b.
    case translator
  }

  /// What the additions are.
  public var kind: Kind
  /// The file that it came from, for the result.
  public var file: String
  /// h for states after a block, −1 the embedding: [rows, width] → the same.
  public var read: (_ states: Tensor, _ layer: Int) -> Tensor
  /// The mean embedding r̄_0: [width], where the reading sets the baseline; else nil.
  public var start: [Double]?

  /// Describes a reading.
  public init(
    _ kind: Kind, file: String, start: [Double]? = nil,
    read: @escaping (_ states: Tensor, _ layer: Int) -> Tensor
  ) {
    self.kind = kind
    self.file = file
    self.start = start
    self.read = read
  }
}
