internal import LanguageModels
internal import Results
internal import Tensors

// u → z′: how much each head of a target moves what leaves the block at that target, the stream that entered
// held. The map is of each token by itself, u(a) = u₀ + a (u − u₀):
//
//     m_j = (u_j − u₀) ⊙ ∫₀¹ ∂S_j/∂u_j da,    M[j, h] = Σ of m_j over the numbers of head h
//
// At the published boundary u is the stream between the branches, and heads are equal slices of it.

/// The map u → z′ of one layer.
struct FeedForwardFlow {
  let setting: FlowSetting

  init(_ setting: FlowSetting) { self.setting = setting }

  func map() throws -> FlowMap {
    let options = setting.request.options
    let isPublished = options.boundary == .published && !setting.isSandwich
    let heads = setting.heads
    let ends: Tensor
    if isPublished {
      guard let middle = setting.flow.middles[setting.layer] else {
        throw FlowError.noMiddle(setting.flow.model.shape.architecture, layer: setting.layer)
      }
      guard middle.size(1) % heads == 0 else {
        throw FlowError.slices(
          setting.flow.model.shape.architecture, width: middle.size(1), heads: heads)
      }
      ends = middle
    } else {
      guard let mixes = setting.flow.mixes[setting.layer] else {
        preconditionFailure("heads were checked for")
      }
      ends = mixes
    }
    // [targets, numbers]
    let targets = setting.targets
    let end = ends.selecting(targets, along: 0)
    let start =
      switch options.feedForwardBaseline {
      case .zero: end * 0
      case .attITB: uniformStart(isPublished)
      }
    let step = end - start
    let zero = try result(start, targets, isPublished)
    let whole = setting.after.selecting(targets, along: 0) - zero
    let totals = try Completeness.each(
      whole, of: setting.after.selecting(targets, along: 0))

    let shown = setting.request.heads
    let integrals = try options.quadrature.integrate(
      targets.count,
      slowness: options.feedForwardBaseline == .zero
        ? setting.feedForwardSlowness(ends, isMiddle: isPublished) : nil,
      estimate: { places, nodes in
        try setting.gather(places, nodes, size: setting.flow.model.shape.hidden) {
          targets, places in
          (
            targets: targets, start: start.selecting(places, along: 0),
            step: step.selecting(places, along: 0), zero: zero.selecting(places, along: 0),
            end: whole.selecting(places, along: 0).directions
          )
        } body: { shared, part in
          let a = Tensor(part.places, [part.places.count, 1, 1], setting.type, on: start.device)
          let u = shared.start + a * shared.step
          let (gradient, _) = gradients(
            at: u, shared.targets, isPublished, from: shared.zero,
            direction: setting.usesLength ? nil : shared.end)
          let m = (gradient * shared.step).weighed(part.weights)
          return m.reshaped([m.size(0), heads, m.size(1) / heads]).sum(along: -1)
        }
      },
      error: { totals[$0].error($1.reduce(0, +)) })

    let columns = integrals.map(\.values)
    var flow = FlowMap(
      array: AxisArray(axes: ["target", "head"], columns.count, shown.count) {
        columns[$0][shown[$1]]
      }, totals: AxisArray(axes: ["target"], shape: [totals.count], values: totals.map(\.total)),
      integrals,
      targets: targets)
    flow.completenessError = AxisArray(
      axes: ["target"], shape: [totals.count],
      values: columns.indices.map {
        totals[$0].error(columns[$0].reduce(0, +))
      })
    return flow
  }

  /// u where every token is the target's own: [targets, numbers].
  private func uniformStart(_ isPublished: Bool) -> Tensor {
    let targets = setting.targets
    let mixes: Tensor
    if let projections = setting.projections {
      // [heads, targets, headWidth]
      mixes = projections.start(isITB: true, targets).transposed(0, 1)
        .reshaped([targets.count, setting.flow.mixes[setting.layer]?.size(1) ?? 0])
    } else {
      let seen = SeamGradient(setting, isITB: true).start(targets)
      mixes = seen.reshaped([targets.count, seen.size(1) * seen.size(2)])
    }
    guard isPublished else { return mixes }
    let stream = setting.stream.selecting(targets, along: 0)
    return setting.middle(mixes, stream, targets)
  }

  /// z′ of u: [targets, numbers].
  private func result(_ u: Tensor, _ targets: [Int], _ isPublished: Bool) throws -> Tensor {
    let made = setting.finish(u.reshaped([1] + u.shape), targets, isPublished)
    return made.reshaped([targets.count, made.size(2)])
  }

  /// ∂S/∂u at rows of u, [nodes, targets, numbers], and z′ there.
  private func gradients(
    at u: Tensor, _ targets: [Int], _ isPublished: Bool, from zero: Tensor, direction: Tensor?
  ) -> (gradient: Tensor, result: Tensor) {
    withRecording(true) {
      let leaf = u.requiringGradient()
      let made = setting.finish(leaf, targets, isPublished)
      let cotangent = direction ?? (made.detached - zero).directions
      return ((made * cotangent).gradient(withRespectTo: [leaf])[0], made)
    }
  }
}

extension FlowSetting {
  /// Whether the block's branches have norms at both ends: the published package's u is then the heads' mixes.
  var isSandwich: Bool {
    guard let block = (flow.model as? Transformer)?.blocks[layer] else { return false }
    return block.facts.wiring == .sandwich
  }

  /// z′ of u, or of the stream between, [nodes, targets, numbers], with the stream that entered held.
  func finish(_ u: Tensor, _ targets: [Int], _ isMiddle: Bool) -> Tensor {
    let model = flow.model
    if let halves {
      if isMiddle, let after = halves.after { return after(u.to(model.type)).to(type) }
      return halves.whole(u.to(model.type), held(u.size(0), targets).to(model.type)).to(type)
    }
    // Through the block's sites the whole text runs: what rows get that are no targets does not matter.
    let place: Site = isMiddle ? .residual(layer, .middle) : .attention(layer, .heads)
    let width = u.size(2)
    let all = spread(u, targets)
    let shaped =
      isMiddle ? all : all.reshaped([u.size(0), tokens, heads, width / heads])
    return route.replacing(place, with: shaped, on: held(u.size(0), Array(0..<tokens)))
      .selecting(targets, along: 1)
  }

  /// The stream between, of u and the stream that entered: [targets, width].
  func middle(_ u: Tensor, _ stream: Tensor, _ targets: [Int]) -> Tensor {
    if let middle = halves?.middle {
      return middle(u.to(flow.model.type), stream.to(flow.model.type)).to(type)
    }
    var seen = u
    let all = spread(u.reshaped([1] + u.shape), targets)
    _ = route(
      held(1, Array(0..<tokens)),
      Pass(sites: [.attention(layer, .heads), .residual(layer, .middle)]) { site, value in
        if case .attention = site { return all.to(value.type).reshaped(value.shape) }
        seen = value
        return value
      })
    return seen.to(type).reshaped([tokens, seen.size(2)]).selecting(targets, along: 0)
  }

  /// The stream that entered at targets, for so many nodes: [nodes, targets, width].
  func held(_ nodes: Int, _ targets: [Int]) -> Tensor {
    stream.selecting(targets, along: 0).reshaped([1, targets.count, stream.size(1)])
      .expanded([nodes, targets.count, stream.size(1)])
  }

  /// Rows of targets among those of all tokens, the others 0: [nodes, tokens, numbers].
  private func spread(_ u: Tensor, _ targets: [Int]) -> Tensor {
    guard targets != Array(0..<tokens) else { return u }
    let empty = Tensor(repeating: 0, [u.size(0), 1, u.size(2)], u.type, on: u.device)
    let places = (0..<tokens).map { targets.firstIndex(of: $0) ?? targets.count }
    return Tensor.concatenating([u, empty], along: 1).selecting(places, along: 1)
  }
}
