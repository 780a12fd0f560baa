internal import LanguageModels
internal import Results
internal import Tensors

// z → u: how much each source moves what head h mixes at target j,
//
//     A[i, j, h] = ⟨x_i − b_i, ∫₀¹ ∂S_jh/∂x_i da⟩,    S_jh(a) = ‖u_jh(a) − u_jh(0)‖
//
// one number S for each target and head. ∂S/∂u is the direction of u(a) − u(0), so all targets and heads take
// one state of attention a node.

/// The map z → u of one layer.
struct AttentionFlow {
  let setting: FlowSetting

  init(_ setting: FlowSetting) { self.setting = setting }

  func map() throws -> FlowMap {
    let baseline = setting.request.options.attentionBaseline
    switch baseline {
    case .zero: return try map(isITB: false)
    case .itb: return try map(isITB: true)
    case .itbMapRatio:
      var flow = try map(isITB: true)
      flow.give(try mapShares(), setting.targets)
      return flow
    case .itbZeroRatio:
      var flow = try map(isITB: true)
      let zero = try map(isITB: false)
      flow.give(zeroRatioShares(zero.array, targets: setting.targets), setting.targets)
      flow.join(zero)
      return flow
    }
  }

  /// The attention of each target to itself, as shares: axes target, head.
  private func mapShares() throws -> AxisArray {
    let values = try setting.pattern()
    let (tokens, heads) = (setting.tokens, setting.request.heads)
    let shares = setting.targets.flatMap { target in
      heads.map { head in
        mapRatioShare(values[(head * tokens + target) * tokens + target])
      }
    }
    return AxisArray(
      axes: ["target", "head"], shape: [setting.targets.count, heads.count], values: shares)
  }

  private func map(isITB: Bool) throws -> FlowMap {
    let (tokens, heads, shown) = (setting.tokens, setting.heads, setting.request.heads)
    let (starts, whole) = ends(isITB: isITB)
    // [targets][heads]
    let cells = try Completeness.each(
      whole.transposed(0, 1).contiguous, of: (starts + whole).transposed(0, 1).contiguous,
      setting.outputType)
    let totals = setting.targets.indices.map { Array(cells[$0 * heads..<($0 + 1) * heads]) }
    let integrals = try setting.request.options.quadrature.integrate(
      totals, counting: shown, slowness: isITB ? nil : setting.attentionSlowness
    ) { places, nodes in
      try estimate(places, nodes, isITB: isITB, starts: starts, whole: whole)
    }
    return FlowMap(
      array: AxisArray(axes: ["source", "target", "head"], tokens, totals.count, shown.count) {
        integrals[$1].values[shown[$2] * tokens + $0]
      },
      totals: AxisArray(axes: ["target", "head"], totals.count, shown.count) {
        totals[$0][shown[$1]].total
      },
      errors: AxisArray(axes: ["target", "head"], totals.count, shown.count) {
        integrals[$0].errors[shown[$1]]
      }, integrals, targets: setting.targets)
  }

  /// u(0) and u(1) − u(0): [heads, targets, headWidth] each.
  private func ends(isITB: Bool) -> (start: Tensor, change: Tensor) {
    if let projections = setting.projections { return setting.ends(isITB, projections) }
    guard let mixes = setting.flow.mixes[setting.layer] else {
      preconditionFailure("heads were checked for")
    }
    let start = SeamGradient(setting, isITB: isITB).start(setting.targets).transposed(0, 1)
    let end = mixes.selecting(setting.targets, along: 0)
      .reshaped([setting.targets.count, setting.heads, start.size(2)]).transposed(0, 1)
    return (start, end - start)
  }

  /// For each target, [head][source].
  private func estimate(
    _ places: [Int], _ nodes: PathNodes, isITB: Bool, starts: Tensor, whole: Tensor
  ) throws -> [[Double]] {
    guard let projections = setting.projections else {
      return try SeamGradient(setting, isITB: isITB).attention(
        places, nodes, starts: starts, whole: whole)
    }
    return try setting.gather(
      places, nodes, size: setting.heads * setting.tokens * 2,
      beside: setting.tokenNumbers(isITB: isITB)
    ) { targets, places in
      (
        path: setting.path(isITB, projections, targets),
        end: whole.selecting(places, along: 1).directions
      )
    } body: { shared, part in
      let state = shared.path.state(at: part.places)
      let g = setting.usesLength ? state.change.directions : shared.end
      let sum = state.contributions(
        of: g, weights: part.weights)
      return sum.transposed(0, 1).contiguous
    }
  }
}
