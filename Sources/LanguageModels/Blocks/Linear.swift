public import Tensors

/// x · weightᵀ + bias.
public struct Linear {
  /// [out, in].
  public var weight: Tensor
  /// [out].
  public var bias: Tensor?

  /// Describes a map.
  public init(weight: Tensor, bias: Tensor? = nil) {
    self.weight = weight
    self.bias = bias
  }

  /// Applies the map to the last dimension, in the type of what it is applied to.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard x.type != weight.type else { return x.linear(weight, bias: bias) }
    return x.linear(weight.to(x.type), bias: bias?.to(x.type))
  }
}
