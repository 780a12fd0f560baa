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
  public func callAsFunction(_ x: Tensor) -> Tensor { applied(to: x, biasShare: nil) }

  /// The same in a block (nil: in the head), with the share of its bias that the pass asks for.
  func callAsFunction(_ x: Tensor, _ layer: Int?, _ pass: Pass) -> Tensor {
    applied(to: x, biasShare: pass.biasShare(of: layer))
  }

  private func applied(to x: Tensor, biasShare: Tensor?) -> Tensor {
    let isOwn = x.type == weight.type
    var bias = isOwn ? bias : bias?.to(x.type)
    if let share = biasShare { bias = bias.map { $0 * share } }
    return x.linear(isOwn ? weight : weight.to(x.type), bias: bias)
  }
}
