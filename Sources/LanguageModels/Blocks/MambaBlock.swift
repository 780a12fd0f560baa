package import Tensors

/// One branch that mixes positions and channels together (Gu and Dao 2023).
///
///     x ← x + mixer(N(x))
///
/// There are no heads and no network of neurons: the block is seen as a whole, before and after.
package struct MambaBlock: Block {
  /// N.
  var norm: Norm
  var mixer: SelectiveStateSpace

  package func callAsFunction(
    _ x: Tensor, _ layer: Int, _ positions: Positions, _ cache: KeyValueCache?, _ pass: Pass
  ) -> Tensor {
    let before = pass(.residual(layer, .before), x)
    return pass(
      .residual(layer, .after), before + mixer(norm(before), layer, positions, cache))
  }

  package func sites(at layer: Int) -> Set<Site> {
    [.residual(layer, .before), .residual(layer, .after)]
  }

  package var rule: BlockRule? { .mixer }
  package var withoutRule: String? { "a selective state space" }
}
