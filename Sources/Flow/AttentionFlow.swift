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
    let totals = try Completeness.each(
      whole.transposed(0, 1).contiguous, of: (starts + whole).transposed(0, 1).contiguous)

    func error(_ place: Int, _ values: [Double]) -> Double {
      shown.map { head in
        let sum = values[head * tokens..<(head + 1) * tokens].reduce(0, +)
        return totals[place * heads + head].error(sum)
      }.max() ?? 0
    }
    let integrals = try setting.request.options.quadrature.integrate(
      setting.targets.count, slowness: isITB ? nil : setting.attentionSlowness,
      estimate: { places, nodes in
        try estimate(places, nodes, isITB: isITB, starts: starts, whole: whole)
      }, error: error)

    let columns = integrals.map(\.values)
    var flow = FlowMap(
      array: AxisArray(axes: ["source", "target", "head"], tokens, columns.count, shown.count) {
        columns[$1][shown[$2] * tokens + $0]
      },
      totals: AxisArray(axes: ["target", "head"], columns.count, shown.count) {
        totals[$0 * heads + shown[$1]].total
      }, integrals, targets: setting.targets)
    flow.completenessError = AxisArray(axes: ["target", "head"], columns.count, shown.count) {
      place, head in
      let own = columns[place][shown[head] * tokens..<(shown[head] + 1) * tokens]
      return totals[place * heads + shown[head]].error(own.reduce(0, +))
    }
    return flow
  }

  /// u(0) and u(1) − u(0): [heads, targets, headWidth] each.
  private func ends(isITB: Bool) -> (start: Tensor, change: Tensor) {
    if let projections = setting.projections {
      let targets = setting.targets
      // Some rows at a time: a row has as many numbers a head as there are tokens.
      let rows = max(1, setting.request.options.numbersAtOnce / (setting.heads * setting.tokens))
      let changes = stride(from: 0, to: targets.count, by: rows).map { start in
        let some = Array(targets[start..<min(start + rows, targets.count)])
        return setting.path(isITB, projections, some).state(at: [1]).change.sum(along: 0)
      }
      return (
        projections.start(isITB: isITB, targets), Tensor.concatenating(changes, along: 1)
      )
    }
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
    return try setting.gather(places, nodes, size: setting.heads * setting.tokens * 2) {
      targets, places in
      (
        path: setting.path(isITB, projections, targets),
        own: projections.ownPlaces(targets),
        end: whole.selecting(places, along: 1).directions
      )
    } body: { shared, part in
      let state = shared.path.state(at: part.places)
      let g = setting.usesLength ? state.change.directions : shared.end
      var sum = state.contributions(
        of: g, weights: part.weights, own: shared.own)
      // Under ITB the target does not move: its own term is ⟨0, …⟩.
      if isITB { sum = sum * (-shared.own + 1) }
      return sum.transposed(0, 1).contiguous
    }
  }
}
