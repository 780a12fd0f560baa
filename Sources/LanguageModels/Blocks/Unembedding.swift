public import Tensors

/// The readout of a model, z(h) = U·N(h) + c: final norm, head, and soft-cap.
///
/// A masked-language-model head makes something of the residual stream first: z(h) = U·N(φ(h)) + c.
public struct Unembedding {
  /// φ, where the head has it.
  public var transform: HeadTransform?
  /// N.
  public var norm: Norm
  /// U: [vocabulary, width].
  public var weight: Tensor
  /// c: [vocabulary].
  public var bias: Tensor?
  /// κ of z = κ·tanh(l/κ); nil for z = l.
  public var softCap: Double?

  /// Describes a readout.
  public init(
    transform: HeadTransform? = nil, norm: Norm, weight: Tensor, bias: Tensor? = nil,
    softCap: Double? = nil
  ) {
    self.transform = transform
    self.norm = norm
    self.weight = weight
    self.bias = bias
    self.softCap = softCap
  }

  /// The model's own logits, the ordinary way: [batch, position, vocabulary].
  public func logits(_ residual: Tensor, pass: Pass = .plain) -> Tensor {
    let normed = pass(.finalNorm, self.normed(residual, pass: pass))
    let linear = Linear(weight: weight, bias: bias)(normed, nil, pass)
    return pass(.logits, softCap.map { pass.rules.softCapped(linear, $0) } ?? linear)
  }

  /// What the matrix U receives, N(φ(h)): [batch, position, width].
  public func normed(_ residual: Tensor, pass: Pass = .plain) -> Tensor {
    norm(transform?(residual, pass: pass) ?? residual, nil, pass)
  }

  /// The readout of some tokens of the vocabulary alone.
  public func restricted(to tokens: [Int]) -> Unembedding {
    var some = self
    some.weight = weight.selecting(tokens, along: 0)
    some.bias = bias?.selecting(tokens, along: 0)
    return some
  }
}

/// What a masked-language-model head does before its norm: φ(h) = a(W·N′(h) + b).
public struct HeadTransform {
  /// N′, the model's own final norm; nil where the last block ends with one.
  public var norm: Norm?
  /// W and b.
  public var dense: Linear
  /// a.
  public var activation: Activation

  /// Describes a transform.
  public init(norm: Norm? = nil, dense: Linear, activation: Activation) {
    self.norm = norm
    self.dense = dense
    self.activation = activation
  }

  /// φ(h): [..., width].
  public func callAsFunction(_ x: Tensor, pass: Pass = .plain) -> Tensor {
    activation(dense(norm?(x, nil, pass) ?? x, nil, pass), pass.rules)
  }
}
