public import Tensors

/// The nonlinearities that checkpoints name.
public enum Activation: String, Sendable, CaseIterable {
  /// x · σ(x).
  case silu
  /// max(x, 0).
  case relu
  /// x · Φ(x).
  case gelu
  /// The tanh approximation of x · Φ(x).
  case geluTanh
  /// tanh(x).
  case tanh

  /// The activation by the name that configurations use.
  init?(named name: String) {
    switch name {
    case "silu", "swish": self = .silu
    case "relu": self = .relu
    case "gelu": self = .gelu
    case "gelu_new", "gelu_pytorch_tanh", "gelu_fast": self = .geluTanh
    case "tanh": self = .tanh
    default: return nil
    }
  }

  /// Applies the activation to every element.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .silu: x.silu
    case .relu: x.relu
    case .gelu: x.gelu(tanhApproximation: false)
    case .geluTanh: x.gelu(tanhApproximation: true)
    case .tanh: x.tanh
    }
  }

  /// The same under the rules of a pass: by its derivative, or as f(x)/x times x with the ratio held.
  func callAsFunction(_ x: Tensor, _ rules: BackwardRules) -> Tensor {
    // The derivative of max(x, 0) is its ratio.
    guard rules.activation == .ratio, self != .relu, x.isRecorded else { return self(x) }
    let held = x.detached
    return self(held).carryingGradient(of: x * ratio(held))
  }

  /// f(x)/x, with its limit at 0.
  package func ratio(_ x: Tensor) -> Tensor {
    switch self {
    case .silu: x.sigmoid
    case .relu: x.reluRatio
    case .gelu: x.geluRatio(tanhApproximation: false)
    case .geluTanh: x.geluRatio(tanhApproximation: true)
    case .tanh: x.tanhRatio
    }
  }
}
