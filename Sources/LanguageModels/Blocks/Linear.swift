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

  /// Applies the map to the last dimension.
  public func callAsFunction(_ x: Tensor) -> Tensor { x.linear(weight, bias: bias) }
}
