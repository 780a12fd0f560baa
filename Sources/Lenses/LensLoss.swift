package import LanguageModels
package import Tensors

// The loss of a translator at one state is KL(m ‖ p), with m the model's own output there and p what
// norm and head read from the translated state h′ = h + A h + b:
//
//     n = N(h′),   l = U n + c,   z = κ tanh(l / κ)  (or z = l),   p = softmax(z).
//
// Its gradient needs no graph of rows × vocabulary:
//
//     ∂/∂z = p − m,   ∂/∂l = (p − m) (1 − (z/κ)²),   ∂/∂n = Uᵀ ∂/∂l,   ∂/∂h′ by the norm's own graph,
//     ∂/∂A = Σ_rows ∂/∂h′ hᵀ,   ∂/∂b = Σ_rows ∂/∂h′.
//
// All layers share m, and each chunk of rows holds rows × vocabulary for m, for z, and for what
// becomes p − m.

/// KL(model ‖ lens) of translators, with its gradient.
package struct LensLoss {
  private let norm: Norm
  private let weight: Tensor
  /// Uᵀ: [width, vocabulary], laid out so that the product with it is a plain one.
  private let transposed: Tensor
  private let bias: Tensor?
  private let cap: Double?
  /// The element type of all of it.
  package let type: ScalarType

  package init(_ head: Unembedding, _ type: ScalarType) {
    self.type = type
    norm = Norm(
      kind: head.norm.kind, weight: head.norm.weight.to(type), bias: head.norm.bias?.to(type),
      epsilon: head.norm.epsilon)
    weight = head.weight.to(type)
    transposed = weight.transposed(0, 1).contiguous
    bias = head.bias?.to(type)
    cap = head.softCap
  }

  /// What the model itself says at some rows.
  package struct Model {
    /// m: [rows, vocabulary].
    fileprivate let probabilities: Tensor
    /// −Σ m log m: [rows].
    fileprivate let entropy: Tensor
  }

  /// Reads the model's own output from its final states, [rows, width].
  package func model(_ final: Tensor) -> Model {
    let logits = self.logits(norm(final))
    let probabilities = logits.softmax(along: -1)
    return Model(
      probabilities: probabilities,
      entropy: logits.crossEntropy(from: probabilities, replacingWithGradient: false))
  }

  /// What a translator loses at some rows.
  package struct Value {
    /// KL(model ‖ lens) of each row, in nats: [rows].
    package var divergence: Tensor
    /// ∂/∂h′ of their sum: [rows, width], where it was asked for.
    package var gradient: Tensor?
  }

  /// The divergences of translated states [rows, width], and their gradients.
  package func callAsFunction(_ translated: Tensor, _ model: Model, gradient wanted: Bool) -> Value
  {
    guard wanted else {
      let logits = self.logits(norm(translated))
      let cross = logits.crossEntropy(from: model.probabilities, replacingWithGradient: false)
      return Value(divergence: cross - model.entropy)
    }
    return withRecording(true) {
      let leaf = translated.requiringGradient()
      let normed = norm(leaf)
      let slope = withRecording(false) { () -> (Tensor, Tensor) in
        let logits = self.logits(normed.detached)
        // 1 − (z/κ)², before the logits' memory is used for the gradient.
        let cap = self.cap.map { (logits * logits) * (-1 / ($0 * $0)) + 1 }
        let cross = logits.crossEntropy(from: model.probabilities, replacingWithGradient: true)
        let difference = cap.map { logits * $0 } ?? logits
        return (cross, difference.linear(transposed))
      }
      return Value(
        divergence: slope.0 - model.entropy,
        gradient: (normed * slope.1).gradient(withRespectTo: [leaf])[0].detached)
    }
  }

  private func logits(_ normed: Tensor) -> Tensor {
    let linear = normed.linear(weight, bias: bias)
    return cap.map { (linear * (1 / $0)).tanh * $0 } ?? linear
  }
}
