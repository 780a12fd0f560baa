internal import LanguageModels
internal import Results
internal import Tensors

// z → z′: how much each source moves what leaves the block at target j,
//
//     Z[i, j] = ⟨x_i − b_i, ∫₀¹ ∂S_j/∂x_i da⟩,    S_j(a) = ‖z′_j(a) − z′_j(0)‖.
//
// What follows attention is of each token by itself, so the cotangents of all targets ride in one backward pass
// of as many rows, to u and to the stream that enters beside it. The rest is attention's own
// (`AttentionPath`), with g = ∂S/∂u; kept apart by head it is K[i, j, h], what goes i → j through head h, and
// what reaches the target past attention is R[j] = ⟨∂S/∂z_j, z_j − b_j⟩, 0 under ITB:
//
//     Z[i, j] = Σ_h K[i, j, h] + δ_ij R[j],    node by node.

/// The map z → z′ of one layer, with what passes through each head.
struct LayerFlow {
  let setting: FlowSetting

  init(_ setting: FlowSetting) { self.setting = setting }

  func maps() throws -> (FlowMap, FlowHeads?) {
    switch setting.request.options.layerBaseline {
    case .zero: return try split(isITB: false)
    case .itb: return try split(isITB: true)
    case .itbZeroRatio:
      var (flow, heads) = try split(isITB: true)
      let (zero, _) = try split(isITB: false)
      let shares = zeroRatioShares(zero.array, targets: setting.targets)
      heads?.give(shares, flow, setting.targets)
      flow.give(shares, setting.targets)
      flow.join(zero)
      return (flow, heads)
    }
  }

  private var isSplit: Bool { setting.hasSplit && setting.request.options.splitsHeads }

  private func split(isITB: Bool) throws -> (FlowMap, FlowHeads?) {
    let (tokens, shown) = (setting.tokens, setting.request.heads)
    let targets = setting.targets
    let starts = start(isITB: isITB)
    let whole = end(isITB: isITB) - starts
    let totals = try Completeness.each(
      whole, of: setting.after.selecting(targets, along: 0), setting.outputType
    ).map { [$0] }
    // Of each target [head][source], then R; all heads as one where they are not split.
    let heads = isSplit ? setting.heads : 1
    let integrals = try setting.request.options.quadrature.integrate(
      totals, slowness: isITB ? nil : setting.layerSlowness
    ) { places, nodes in
      try estimate(places, nodes, isITB: isITB, starts: starts, whole: whole)
    }
    let values = integrals.map(\.values)
    let flow = FlowMap(
      array: AxisArray(axes: ["source", "target"], tokens, targets.count) { source, column in
        (0..<heads).reduce(source == targets[column] ? values[column][heads * tokens] : 0) {
          $0 + values[column][$1 * tokens + source]
        }
      }, totals: AxisArray(targets: totals.map { $0[0].total }),
      errors: AxisArray(targets: integrals.map { $0.errors[0] }), integrals, targets: targets)
    guard isSplit else { return (flow, nil) }
    return (
      flow,
      FlowHeads(
        conductance: AxisArray(
          axes: ["source", "target", "head"], tokens, targets.count, shown.count
        ) { values[$1][shown[$2] * tokens + $0] },
        residual: AxisArray(targets: values.map { $0[heads * tokens] }))
    )
  }

  /// z′(0): [targets, width].
  private func start(isITB: Bool) -> Tensor {
    let targets = setting.targets
    if let projections = setting.projections, let halves = setting.halves {
      let start = projections.start(isITB: isITB, targets)
      return halves.whole(
        joined(start.reshaped([1] + start.shape)), stream(isITB ? [1] : [0], targets)
      ).reshaped([targets.count, setting.stream.size(1)])
    }
    return SeamGradient(setting, isITB: isITB).end(targets)
  }

  /// z′(1): [targets, width]: what the model's own run left, or the same in a wider type.
  private func end(isITB: Bool) -> Tensor {
    let targets = setting.targets
    guard setting.flow.model.type != setting.type, let halves = setting.halves,
      let projections = setting.projections
    else { return setting.after.selecting(targets, along: 0) }
    let (start, change) = setting.ends(isITB, projections)
    let u = start + change
    return halves.whole(joined(u.reshaped([1] + u.shape)), stream([1], targets))
      .reshaped([targets.count, setting.stream.size(1)])
  }

  /// [nodes, heads, targets, headWidth] as [nodes, targets, heads · headWidth].
  private func joined(_ mixes: Tensor) -> Tensor {
    mixes.transposed(1, 2)
      .reshaped([mixes.size(0), mixes.size(2), mixes.size(1) * mixes.size(3)])
  }

  /// The targets' own stream at shares of itself: [shares, targets, width].
  private func stream(_ shares: [Double], _ targets: [Int]) -> Tensor {
    setting.held(shares.count, targets)
      * Tensor(shares, [shares.count, 1, 1], setting.type, on: setting.stream.device)
  }

  /// For each target, [head][source], then R.
  private func estimate(
    _ places: [Int], _ nodes: PathNodes, isITB: Bool, starts: Tensor, whole: Tensor
  ) throws -> [[Double]] {
    guard let projections = setting.projections, let halves = setting.halves else {
      return try SeamGradient(setting, isITB: isITB).layer(
        places, nodes, starts: starts, whole: whole, byHead: isSplit)
    }
    let shape = setting.flow.model.shape
    let size = max(setting.heads * setting.tokens, shape.hidden)
    return try setting.gather(
      places, nodes, size: size, beside: setting.tokenNumbers(isITB: isITB)
    ) { targets, places in
      (
        targets: targets, path: setting.path(isITB, projections, targets),
        start: starts.selecting(places, along: 0),
        end: whole.selecting(places, along: 0).directions,
        step: setting.stream.selecting(targets, along: 0),
        mixes: projections.start(isITB: isITB, targets)
      )
    } body: { shared, part in
      let state = shared.path.state(at: part.places)
      let own = stream(
        isITB ? part.places.map { _ in 1 } : part.places, shared.targets)
      let (g, past) = withRecording(true) {
        let u = joined(state.change + shared.mixes).requiringGradient()
        let beside = isITB ? own : own.requiringGradient()
        let made = halves.whole(u, beside)
        let cotangent =
          setting.usesLength ? (made.detached - shared.start).directions : shared.end
        let gradients = (made * cotangent).gradient(withRespectTo: isITB ? [u] : [u, beside])
        return (gradients[0], isITB ? nil : gradients[1])
      }
      // [nodes, heads, targets, headWidth]
      let count = shared.targets.count
      let perHead = g.reshaped([g.size(0), count, setting.heads, g.size(2) / setting.heads])
        .transposed(1, 2)
      var through = state.contributions(
        of: perHead, weights: part.weights)
      if !isSplit { through = through.sum(along: 0, keepingDimension: true) }
      let beside =
        past.map { ($0 * shared.step).sum(along: -1).weighed(part.weights) }
        ?? Tensor(repeating: 0, [count], setting.type, on: g.device)
      return Tensor.concatenating(
        [
          through.transposed(0, 1).reshaped([count, through.size(0) * setting.tokens]),
          beside.reshaped([count, 1]),
        ], along: 1)
    }
  }
}
