package import Tensors

/// A feed-forward network: plain (Vaswani and others 2017) or gated (Shazeer 2020).
package struct FeedForward: FeedForwardBranch {
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

  package var parts: [Site.FeedForwardPart] {
    switch input {
    case .plain: [.up, .hidden, .output]
    case .gated: [.gate, .up, .hidden, .output]
    }
  }

  package func callAsFunction(_ x: Tensor, _ layer: Int, _ pass: Pass) -> Tensor {
    let x = pass.rules.feedForward(x)
    let neurons: Tensor
    switch input {
    case .plain(let up):
      neurons = activation(pass(.feedForward(layer, .up), up(x, layer, pass)), pass.rules)
    case .gated(let both):
      let mixed = both(x, layer, pass)
      let gate = pass(.feedForward(layer, .gate), mixed.slice(0..<hidden, along: -1))
      let up = pass(.feedForward(layer, .up), mixed.slice(hidden..<2 * hidden, along: -1))
      neurons = pass.rules.product(gate: activation(gate, pass.rules), up: up)
    }
    let added = output(pass(.feedForward(layer, .hidden), neurons), layer, pass)
    let normed = outputNorm?(added, layer, pass, at: .feedForwardOutput) ?? added
    return pass(.feedForward(layer, .output), normed)
  }
}
