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

  /// Whether heads and the stream beside them are all there is, so that K and R say everything.
  private var hasHeads: Bool {
    guard setting.route.hasHeads else { return false }
    guard let transformer = setting.flow.model as? Transformer else { return true }
    return transformer.halves(of: setting.layer, setting.flow.positions) != nil
  }

  private func split(isITB: Bool) throws -> (FlowMap, FlowHeads?) {
    let (tokens, shown) = (setting.tokens, setting.request.heads)
    let targets = setting.targets
    let starts = try start(isITB: isITB)
    let whole = setting.after.selecting(targets, along: 0) - starts
    let totals = try Completeness.each(
      whole, of: setting.after.selecting(targets, along: 0))
    let heads = hasHeads ? setting.heads : 1

    // [head][source], then R.
    func column(_ values: [Double], _ target: Int) -> [Double] {
      (0..<tokens).map { source in
        (0..<heads).reduce(source == target ? values[heads * tokens] : 0) {
          $0 + values[$1 * tokens + source]
        }
      }
    }
    let integrals = try setting.request.options.quadrature.integrate(
      targets.count, slowness: isITB ? nil : setting.layerSlowness,
      estimate: { places, nodes in
        try estimate(places, nodes, isITB: isITB, starts: starts, whole: whole)
      }, error: { totals[$0].error($1.reduce(0, +)) })

    let columns = zip(integrals, targets).map { column($0.values, $1) }
    var flow = FlowMap(
      array: AxisArray(axes: ["source", "target"], tokens, targets.count) { columns[$1][$0] },
      totals: AxisArray(axes: ["target"], shape: [totals.count], values: totals.map(\.total)),
      integrals,
      targets: targets)
    flow.completenessError = AxisArray(
      axes: ["target"], shape: [totals.count],
      values: columns.indices.map {
        totals[$0].error(columns[$0].reduce(0, +))
      })
    guard hasHeads, setting.request.options.splitsHeads else { return (flow, nil) }
    let values = integrals.map(\.values)
    return (
      flow,
      FlowHeads(
        conductance: AxisArray(
          axes: ["source", "target", "head"], tokens, targets.count, shown.count
        ) { values[$1][shown[$2] * tokens + $0] },
        residual: AxisArray(
          axes: ["target"], shape: [targets.count], values: values.map { $0[heads * tokens] }))
    )
  }

  /// z′(0): [targets, width].
  private func start(isITB: Bool) throws -> Tensor {
    let targets = setting.targets
    if let projections = setting.projections, let halves = setting.halves {
      let start = projections.start(isITB: isITB, targets)
      return after(
        joined(start.reshaped([1] + start.shape)), stream(isITB ? [1] : [0], targets), halves
      ).reshaped([targets.count, setting.stream.size(1)])
    }
    return SeamGradient(setting, isITB: isITB).end(targets)
  }

  private func after(_ u: Tensor, _ stream: Tensor, _ halves: BlockHalves) -> Tensor {
    let own = setting.flow.model.type
    return halves.whole(u.to(own), stream.to(own)).to(setting.type)
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
        places, nodes, starts: starts, whole: whole, byHead: hasHeads)
    }
    let shape = setting.flow.model.shape
    let size = max(setting.heads * setting.tokens, shape.hidden)
    return try setting.gather(places, nodes, size: size) { targets, places in
      (
        targets: targets, path: setting.path(isITB, projections, targets),
        own: projections.ownPlaces(targets),
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
        let made = after(u, beside, halves)
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
        of: perHead, weights: part.weights, own: shared.own)
      // Under ITB the target does not move: its own term is ⟨0, …⟩.
      if isITB { through = through * (-shared.own + 1) }
      let beside =
        past.map { ($0 * shared.step).sum(along: -1).weighed(part.weights) }
        ?? Tensor(repeating: 0, [count], setting.type, on: g.device)
      return Tensor.concatenating(
        [
          through.transposed(0, 1).reshaped([count, setting.heads * setting.tokens]),
          beside.reshaped([count, 1]),
        ], along: 1)
    }
  }
}
