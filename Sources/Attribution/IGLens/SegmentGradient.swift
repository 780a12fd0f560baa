package import Tensors

/// The path-mean gradient ḡ of straight segments of the residual stream, by any rule of nodes.
package protocol SegmentGradient {
  /// Whether numbers are in double.
  var isWide: Bool { get }

  /// Whether nodes can be placed by the angle between a segment's ends.
  func isCircular(_ segment: Int) -> Bool

  /// ḡ of some segments with one rule: [chosen, width], float64.
  func callAsFunction(_ chosen: [Int], _ rule: Quadrature, circular: Bool) throws -> Tensor

  /// The same, with a bound on ‖ḡ − ḡ_coarse‖ for a coarser rule.
  func gradients(
    _ chosen: [Int], _ rule: Quadrature, comparedWith coarse: Quadrature?, circular: Bool
  ) throws -> (values: Tensor, drifts: [Double])
}
