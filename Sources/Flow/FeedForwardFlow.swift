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

  func maps() throws -> (FlowMap, coordinates: AxisArray?) {
    let options = setting.request.options
    let isPublished = options.boundary == .published && !setting.flow.isSandwich(setting.layer)
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
    let zero = result(start, targets, isPublished)
    let whole = result(end, targets, isPublished) - zero
    let totals = try Completeness.each(
      whole, of: setting.after.selecting(targets, along: 0), setting.outputType
    ).map { [$0] }

    let shape = setting.flow.model.shape
    let integrals = try options.quadrature.integrate(
      totals,
      slowness: options.feedForwardBaseline == .zero
        ? setting.feedForwardSlowness(ends, isMiddle: isPublished) : nil
    ) { places, nodes in
      try setting.gather(
        places, nodes, size: shape.hidden,
        beside: setting.halves == nil
          ? setting.tokens * max(shape.hidden, heads * setting.tokens) : 0
      ) { targets, places in
        (
          targets: targets, start: start.selecting(places, along: 0),
          step: step.selecting(places, along: 0), zero: zero.selecting(places, along: 0),
          end: whole.selecting(places, along: 0).directions
        )
      } body: { shared, part in
        let a = Tensor(part.places, [part.places.count, 1, 1], setting.type, on: start.device)
        let gradient = gradients(
          at: shared.start + a * shared.step, shared.targets, isPublished, from: shared.zero,
          direction: setting.usesLength ? nil : shared.end)
        return (gradient * shared.step).weighed(part.weights)
      }
    }
    let shown = setting.request.heads
    let width = end.size(1) / heads
    let flow = FlowMap(
      array: AxisArray(axes: ["target", "head"], totals.count, shown.count) { column, head in
        let own = shown[head] * width..<(shown[head] + 1) * width
        return integrals[column].values[own].reduce(0, +)
      }, totals: AxisArray(targets: totals.map { $0[0].total }),
      errors: AxisArray(targets: integrals.map { $0.errors[0] }), integrals, targets: targets)
    guard options.splitsCoordinates else { return (flow, nil) }
    return (
      flow,
      AxisArray(axes: ["target", "coordinate"], totals.count, end.size(1)) {
        integrals[$0].values[$1]
      }
    )
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
  private func result(_ u: Tensor, _ targets: [Int], _ isPublished: Bool) -> Tensor {
    let made = setting.finish(u.reshaped([1] + u.shape), targets, isPublished)
    return made.reshaped([targets.count, made.size(2)])
  }

  /// ∂S/∂u at rows of u: [nodes, targets, numbers].
  private func gradients(
    at u: Tensor, _ targets: [Int], _ isPublished: Bool, from zero: Tensor, direction: Tensor?
  ) -> Tensor {
    withRecording(true) {
      let leaf = u.requiringGradient()
      let made = setting.finish(leaf, targets, isPublished)
      let cotangent = direction ?? (made.detached - zero).directions
      return (made * cotangent).gradient(withRespectTo: [leaf])[0]
    }
  }
}

extension TokenFlow {
  /// Whether a block's branches have norms at both ends: the published package's u is then the heads' mixes.
  func isSandwich(_ layer: Int) -> Bool {
    (model as? Transformer)?.blocks[layer].facts.wiring == .sandwich
  }
}

extension FlowSetting {
  /// z′ of u, or of the stream between, [nodes, targets, numbers], with the stream that entered held.
  func finish(_ u: Tensor, _ targets: [Int], _ isMiddle: Bool) -> Tensor {
    if let halves {
      if isMiddle, let after = halves.after { return after(u) }
      return halves.whole(u, held(u.size(0), targets))
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
    if let middle = halves?.middle { return middle(u, stream) }
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
