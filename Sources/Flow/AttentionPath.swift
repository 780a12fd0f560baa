internal import Tensors

// Integrated gradients need, at each node of a path, ⟨∂S/∂x_i, dx_i/da⟩ for every source i. With S a function
// of head h's mix u_j = Σ_i α_ji v_i at target j, and g_j = ∂S/∂u_j, that is ⟨g_j, du_j⟩ with only source i moving:
//
//     p_ji = ⟨g_j, v_i⟩
//     e_ji = α_ji (p_ji − Σ_m α_jm p_jm)                            ∂S/∂s_ji, through the softmax
//     i → j:   α_ji ⟨g_j, v̇_i⟩ + e_ji ṡᵏ_ji + δ_ij Σ_m e_jm ṡ^q_jm
//
// with v̇ the values' derivative along the path and ṡᵏ, ṡ^q those of the scores through key and query. No
// product with a weight matrix is left in it: projections are made once, of what the path is between, and
// every node is a matter of T² numbers a head. Two kinds of path differ in how v and s move: each token by
// itself (`TokenPath`), or all of them away from the target (`TargetPath`).

/// Attention along a path, for some targets.
protocol AttentionPath {
  /// Attention at nodes of the path.
  func state(at nodes: [Double]) -> AttentionState
}

/// Attention at some nodes of a path: rows are targets.
struct AttentionState {
  /// Where the nodes are.
  var places: [Double]
  /// α: [nodes, heads, targets, sources].
  var pattern: Tensor
  /// u(a) − u(0): [nodes, heads, targets, headWidth].
  var change: Tensor
  /// ṡᵏ: [nodes, heads, targets, sources], or [heads, targets, sources] where all nodes have the same.
  var keySlope: Tensor
  /// ṡ^q: [nodes, heads, targets, sources]; nil where the targets stay, and with them their queries.
  var querySlope: Tensor?
  /// 1 where a source is the row's own target, else 0: [targets, sources].
  var own: Tensor
  /// From g, [nodes, heads, targets, headWidth], p and ⟨g, v̇⟩, both [nodes, heads, targets, sources].
  ///
  /// Of p, what a row has in common does not matter; nil says that it is a ⟨g, v̇⟩ and ṡᵏ the same everywhere.
  var pull: (_ g: Tensor) -> (values: Tensor?, slopes: Tensor)

  /// What each source contributes, summed over the nodes by their weights.
  ///
  /// - Parameters:
  ///   - g: ∂S/∂u: [nodes, heads, targets, headWidth].
  ///   - weights: of the nodes.
  /// - Returns: [heads, targets, sources].
  func contributions(of g: Tensor, weights: [Double]) -> Tensor {
    let (p, slopes) = pull(g)
    let moved = pattern * slopes
    guard let p else {
      // p = a ⟨g, v̇⟩ takes e = a (moved − α Σ moved), and ṡᵏ can wait until nodes are summed.
      let e = moved - pattern * moved.sum(along: -1, keepingDimension: true)
      return others(moved.weighed(weights) + keySlope * e.weighed(zip(weights, places).map(*)))
    }
    let e = pattern * (p - (pattern * p).sum(along: -1, keepingDimension: true))
    let sum = (moved + e * keySlope).weighed(weights)
    guard let querySlope else { return others(sum) }
    return sum
      + (e * querySlope).sum(along: -1, keepingDimension: true).weighed(weights) * own
  }

  /// A target that stays gives itself nothing: its own term is ⟨0, …⟩.
  private func others(_ sum: Tensor) -> Tensor { sum * (-own + 1) }
}

extension AttentionState {
  /// Attention on a path on which scores and values go straight.
  init(
    places: [Double], own: Tensor, pattern: Tensor, change: Tensor, keySlope: Tensor,
    pull: @escaping (_ g: Tensor) -> (values: Tensor?, slopes: Tensor)
  ) {
    self.init(
      places: places, pattern: pattern, change: change, keySlope: keySlope, querySlope: nil,
      own: own, pull: pull)
  }

  /// A softmax of capped scores with its slopes: κ tanh(s/κ) moves 1 − tanh²(s/κ) times as fast as s.
  init(
    places: [Double], own: Tensor, scores: Tensor, keySlope: Tensor, querySlope: Tensor? = nil,
    softCap: Double?,
    added: Tensor, change: (_ pattern: Tensor) -> Tensor,
    pull: @escaping (_ g: Tensor) -> (values: Tensor?, slopes: Tensor)
  ) {
    guard let softCap else {
      let pattern = (scores + added).softmax(along: -1)
      self.init(
        places: places, pattern: pattern, change: change(pattern), keySlope: keySlope,
        querySlope: querySlope, own: own, pull: pull)
      return
    }
    let bent = (scores * (1 / softCap)).tanh
    let slope = -(bent * bent) + 1
    let pattern = (bent * softCap + added).softmax(along: -1)
    self.init(
      places: places, pattern: pattern, change: change(pattern), keySlope: keySlope * slope,
      querySlope: querySlope.map { $0 * slope }, own: own, pull: pull)
  }
}

extension Tensor {
  /// Σ_n w_n x_n of [nodes, ...].
  func weighed(_ weights: [Double]) -> Tensor {
    let rest = Array(shape.dropFirst())
    return Tensor(weights, [1, weights.count], type, on: device)
      .matmul(reshaped([weights.count, rest.reduce(1, *)])).reshaped(rest)
  }
}
