internal import LanguageModels
internal import Results

/// A text's maps by where their paths start, made when they are first asked for.
struct MapsByBaseline {
  let flow: TokenFlow
  let options: FlowOptions
  let request: FlowRequest
  let layers: [FlowLayer]
  private var others: [Part: [FlowLayer]] = [:]

  /// One map.
  private enum Part: Hashable {
    case attention(AttentionBaseline)
    case feedForward(FeedForwardBaseline)
    case layer(LayerBaseline)
  }

  init(flow: TokenFlow, options: FlowOptions, request: FlowRequest, layers: [FlowLayer]) {
    self.flow = flow
    self.options = options
    self.request = request
    self.layers = layers
  }

  /// The flow from token to token by a way: one array a layer, axes source, target.
  mutating func arrays(_ way: FlowWay) throws -> [AxisArray] {
    let layers = try maps(way)
    switch way {
    case .layer: return layers.compactMap { $0.layerFlow?.array }
    case .exact:
      return try layers.map { layer in
        guard let heads = layer.heads else {
          throw flow.mixes[layer.layer] == nil
            ? FlowError.noHeads(
              flow.model.shape.architecture, layer: layer.layer, "exact composition")
            : FlowError.noSplit(flow.model.shape.architecture, layer: layer.layer)
        }
        return exactComposition(heads, targets: request.targets)
      }
    case .product, .conserving:
      return try byHead(way).map(\.summedOverHeads)
    }
  }

  /// The same by head: axes source, target, head; nil for a way that has no heads.
  private mutating func byHead(_ way: FlowWay) throws -> [AxisArray] {
    let targets = request.targets
    return try maps(way).compactMap { layer in
      switch way {
      case .layer, .exact: return layer.heads?.conductance
      case .product:
        return zip(layer) { productByHead(attention: $0, feedForward: $1) }
      case .conserving:
        return zip(layer) {
          conservingByHead(attention: $0, feedForward: $1, targets: targets)
        }
      }
    }
  }

  private func zip(
    _ layer: FlowLayer, _ body: (_ attention: AxisArray, _ feedForward: AxisArray) -> AxisArray
  ) -> AxisArray? {
    guard let attention = layer.attentionFlow?.array,
      let feedForward = layer.feedForwardFlow?.array
    else { return nil }
    return body(attention, feedForward)
  }

  /// Layers with the maps that a way needs.
  private mutating func maps(_ way: FlowWay) throws -> [FlowLayer] {
    switch way {
    case .layer(let baseline), .exact(let baseline): return try made(.layer(baseline))
    case .product(let attention, let feedForward), .conserving(let attention, let feedForward):
      var layers = try made(.attention(attention))
      for (index, other) in try made(.feedForward(feedForward)).enumerated() {
        layers[index].feedForwardFlow = other.feedForwardFlow
      }
      return layers
    }
  }

  /// Layers with one map, from those asked for or made once.
  private mutating func made(_ part: Part) throws -> [FlowLayer] {
    var needed = options
    let isThere: Bool
    switch part {
    case .attention(let baseline):
      isThere = options.attentionBaseline == baseline
      (needed.attentionBaseline, needed.granularities) = (baseline, [.attention])
    case .feedForward(let baseline):
      isThere = options.feedForwardBaseline == baseline
      (needed.feedForwardBaseline, needed.granularities) = (baseline, [.feedForward])
    case .layer(let baseline):
      isThere = options.layerBaseline == baseline
      (needed.layerBaseline, needed.granularities) = (baseline, [.layer])
    }
    if isThere, needed.granularities.isSubset(of: options.granularities) { return layers }
    if let known = others[part] { return known }
    let made = try flow.flows(needed)
    others[part] = made
    return made
  }

  /// How far two ways agree.
  mutating func agreement(_ first: FlowWay, _ second: FlowWay) throws -> [FlowAgreement] {
    let numbers = layers.map(\.layer)
    let frame = AgreementFrame(
      layers: numbers, targets: request.targets, heads: request.heads,
      visibility: numbers.map(flow.visibility))
    let baseline: LayerBaseline =
      switch first {
      case .layer(let baseline), .exact(let baseline): baseline
      case .product(let attention, _), .conserving(let attention, _):
        attention == .zero ? .zero : .itb
      }
    let hasPatterns = numbers.allSatisfy { flow.mixes[$0] != nil }
    let attention =
      hasPatterns
      ? FlowRoute(
        "attention",
        try numbers.map { try flow.attentionWeights($0, targets: request.targets) }, in: frame)
      : nil
    let change = FlowRoute(
      "change",
      try numbers.map { try flow.changes($0, from: baseline, targets: request.targets) },
      in: frame)
    func compared(_ a: [AxisArray], _ b: [AxisArray]) -> [FlowAgreement] {
      flowAgreement(
        of: FlowRoute(first.name, a, in: frame), with: FlowRoute(second.name, b, in: frame),
        attention: attention, change: change)
    }
    let sums = compared(try arrays(first), try arrays(second))
    guard first.hasHeads, second.hasHeads else { return sums }
    // What passes beside heads is no head's, so that sums are compared by themselves.
    let heads = compared(try byHead(first), try byHead(second)).filter { $0.head != nil }
    return sums.dropLast() + heads + sums.suffix(1)
  }
}

extension FlowWay {
  fileprivate var hasHeads: Bool { if case .layer = self { false } else { true } }
}

extension TokenFlow {
  /// Which sources a target sees in a block.
  func visibility(_ layer: Int) -> SourceVisibility {
    let facts = (model as? Transformer)?.blocks[layer].facts
    return SourceVisibility(isCausal: model.isCausal, window: facts?.attention?.window)
  }
}
