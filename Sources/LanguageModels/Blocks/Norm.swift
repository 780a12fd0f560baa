public import Tensors

/// A normalisation over the residual width.
public struct Norm {
  /// The published kinds.
  public enum Kind: Hashable, Sendable {
    /// x / √(mean(x²) + ε) · weight (Zhang and Sennrich 2019).
    case rms
    /// (x − mean) / √(variance + ε) · weight + bias (Ba, Kiros and Hinton 2016).
    case layer
  }

  /// The kind.
  public var kind: Kind
  /// γ: [width].
  public var weight: Tensor
  /// β: [width]; RMS norms have none.
  public var bias: Tensor?
  /// ε.
  public var epsilon: Double
  /// What was added to a checkpoint's numbers to make γ: 1 where files hold w of γ = 1 + w.
  public var added = 0.0

  /// Describes a norm.
  public init(kind: Kind, weight: Tensor, bias: Tensor?, epsilon: Double) {
    self.kind = kind
    self.weight = weight
    self.bias = bias
    self.epsilon = epsilon
  }

  /// Normalises the last dimension, in the type of what it is applied to.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let isOwn = x.type == weight.type
    let weight = isOwn ? weight : weight.to(x.type)
    return switch kind {
    case .rms: x.rmsNorm(weight, epsilon: epsilon)
    case .layer:
      x.layerNorm(weight, bias: isOwn ? bias : bias?.to(x.type), epsilon: epsilon)
    }
  }
}
