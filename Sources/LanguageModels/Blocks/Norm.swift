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

  /// The same in a block (nil: in the head), under the rules of a pass, where its scale may be seen.
  ///
  /// With its scale held, a norm is γ ⊙ (x − mean)/σ + β with 1/σ a constant; the mean, which only layer norms
  /// take off, is linear in x.
  func callAsFunction(
    _ x: Tensor, _ layer: Int?, _ pass: Pass, at place: Site.NormPlace? = nil
  ) -> Tensor {
    let bias = self.bias?.to(x.type)
    if let layer, let place, pass.wants(.scale(layer, place)) {
      return inParts(x, layer, pass, .scale(layer, place))
    }
    guard pass.rules.norm == .frozen, x.isRecorded else {
      guard let bias, let share = pass.biasShare(of: layer) else { return self(x) }
      return x.layerNorm(weight.to(x.type), bias: bias * share, epsilon: epsilon)
    }
    let centred = centred(x)
    let carrier = scaled(centred, by: scale(of: centred.detached), layer, pass)
    return self(x.detached).carryingGradient(of: carrier)
  }

  /// With the scale shown, and what comes back in its place.
  private func inParts(_ x: Tensor, _ layer: Int, _ pass: Pass, _ site: Site) -> Tensor {
    let centred = centred(x)
    let own = scale(of: pass.rules.norm == .frozen ? centred.detached : centred)
    let shape = own.shape
    let shown = pass(site, own.reshaped(Array(shape.dropLast()))).reshaped(shape)
    return scaled(centred, by: shown, layer, pass)
  }

  private func centred(_ x: Tensor) -> Tensor {
    kind == .rms ? x : x - x.mean(along: -1, keepingDimension: true)
  }

  /// 1/σ of what has no mean: [..., 1].
  private func scale(of centred: Tensor) -> Tensor {
    ((centred * centred).mean(along: -1, keepingDimension: true) + epsilon).reciprocalSquareRoot
  }

  private func scaled(
    _ centred: Tensor, by scale: Tensor, _ layer: Int?, _ pass: Pass
  ) -> Tensor {
    let made = centred * (scale * weight.to(centred.type))
    guard let bias = bias?.to(centred.type) else { return made }
    return made + (pass.biasShare(of: layer).map { bias * $0 } ?? bias)
  }
}
