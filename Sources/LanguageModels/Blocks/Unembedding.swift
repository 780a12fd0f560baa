public import Tensors

/// The readout of a model, z(h) = U·N(h) + c: final norm, head, and soft-cap.
public struct Unembedding {
  /// N.
  public var norm: Norm
  /// U: [vocabulary, width].
  public var weight: Tensor
  /// c: [vocabulary].
  public var bias: Tensor?
  /// κ of z = κ·tanh(l/κ); nil for z = l.
  public var softCap: Double?

  /// Describes a readout.
  public init(norm: Norm, weight: Tensor, bias: Tensor?, softCap: Double?) {
    self.norm = norm
    self.weight = weight
    self.bias = bias
    self.softCap = softCap
  }

  /// The model's own logits, the ordinary way: [batch, position, vocabulary].
  public func logits(_ residual: Tensor, pass: Pass = .plain) -> Tensor {
    let normed = pass(.finalNorm, norm(residual))
    let linear = normed.linear(weight, bias: bias)
    let capped = softCap.map { (linear * (1 / $0)).tanh * $0 } ?? linear
    return pass(.logits, capped)
  }
}
