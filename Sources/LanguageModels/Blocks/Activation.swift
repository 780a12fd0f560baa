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

  /// The activation by the name that configurations use.
  init?(named name: String) {
    switch name {
    case "silu", "swish": self = .silu
    case "relu": self = .relu
    case "gelu": self = .gelu
    case "gelu_new", "gelu_pytorch_tanh", "gelu_fast": self = .geluTanh
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
    }
  }
}
