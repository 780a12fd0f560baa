internal import Tensors

/// The nonlinearities that checkpoints name.
enum Activation: String, Sendable, CaseIterable {
  case silu
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

  func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .silu: x.silu
    case .relu: x.relu
    case .gelu: x.gelu(tanhApproximation: false)
    case .geluTanh: x.gelu(tanhApproximation: true)
    }
  }
}

/// A feed-forward network: plain (Vaswani and others 2017) or gated (Shazeer 2020).
package struct FeedForward {
  enum Input {
    /// hidden = φ(up).
    case plain(Linear)
    /// hidden = φ(gate) · up; gate and up in one product: [2 · hidden, width].
    case gated(Linear)
  }

  var input: Input
  /// [width, hidden].
  package var output: Linear
  /// The branch's own norm after the projection, where the family has one.
  package var outputNorm: Norm?
  var activation: Activation
  var hidden: Int

  /// What the network adds to the residual stream.
  func callAsFunction(_ x: Tensor, _ layer: Int, _ pass: Pass) -> Tensor {
    let neurons: Tensor
    switch input {
    case .plain(let up):
      neurons = activation(pass(.feedForward(layer, .up), up(x)))
    case .gated(let both):
      let mixed = both(x)
      let gate = pass(.feedForward(layer, .gate), mixed.slice(0..<hidden, along: -1))
      let up = pass(.feedForward(layer, .up), mixed.slice(hidden..<2 * hidden, along: -1))
      neurons = activation(gate) * up
    }
    let added = output(pass(.feedForward(layer, .hidden), neurons))
    return pass(.feedForward(layer, .output), outputNorm?(added) ?? added)
  }
}
