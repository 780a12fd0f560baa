package import Tensors

/// A block to whose result a convolution of its input over neighbouring positions is added, and a norm
/// (DeBERTa v2).
///
///     x ← N(block(x) + φ(convolution(x)))
package struct ConvolvedBlock: Block {
  var block: any Block
  /// The convolution as one product with the neighbours' vectors, joined from the earliest on:
  /// [width, reach · width].
  var convolution: Linear
  /// How many neighbours a position sees, itself in the middle; odd.
  var reach: Int
  /// φ.
  var activation: Activation
  /// N.
  var norm: Norm

  package func callAsFunction(
    _ x: Tensor, _ layer: Int, _ positions: Positions, _ cache: KeyValueCache?, _ pass: Pass
  ) -> Tensor {
    // The stream is shown before and after the whole.
    var within = pass
    within.sites.subtract([.residual(layer, .before), .residual(layer, .after)])
    let before = pass(.residual(layer, .before), x)
    let made = block(before, layer, positions, cache, within)
    let convolved = convolution(neighbours(before), layer, pass)
    return pass(
      .residual(layer, .after), norm(made + activation(convolved, pass.rules), layer, pass))
  }

  package func sites(at layer: Int) -> Set<Site> { block.sites(at: layer) }

  package var rule: BlockRule? { nil }
  package var withoutRule: String? { block.withoutRule }

  /// Each position's neighbours, zero outside the text: [batch, position, reach · width].
  private func neighbours(_ x: Tensor) -> Tensor {
    let count = x.size(1)
    let edge = Tensor(repeating: 0, [x.size(0), reach / 2, x.size(2)], x.type, on: x.device)
    let wide = Tensor.concatenating([edge, x, edge], along: 1)
    return Tensor.concatenating(
      (0..<reach).map { wide.slice($0..<$0 + count, along: 1) }, along: -1)
  }
}
