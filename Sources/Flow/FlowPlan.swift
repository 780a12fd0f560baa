public import Attribution
public import LanguageModels
public import Results
internal import Tensors

// What a person asks of a text: maps, compositions of them, and how far two routes agree. Maps that several of
// these need are made once.

/// A way to the flow from token to token, with where its paths start.
public enum FlowWay: Sendable, Hashable {
  /// z → z′ itself.
  case layer(LayerBaseline)
  /// What passes through heads on the layer's path, and beside them.
  case exact(LayerBaseline)
  /// The product of z → u and u → z′.
  case product(AttentionBaseline, FeedForwardBaseline)
  /// The product that keeps the sums of u → z′.
  case conserving(AttentionBaseline, FeedForwardBaseline)

  /// The name in results and commands: `layer:itb`, `product:itb+att-itb`.
  public var name: String {
    switch self {
    case .layer(let baseline): "layer:\(baseline.rawValue)"
    case .exact(let baseline): "exact:\(baseline.rawValue)"
    case .product(let attention, let feedForward):
      "product:\(attention.rawValue)+\(feedForward.rawValue)"
    case .conserving(let attention, let feedForward):
      "conserving:\(attention.rawValue)+\(feedForward.rawValue)"
    }
  }

  /// The maps that it is made of.
  public var maps: Set<FlowGranularity> {
    switch self {
    case .layer, .exact: [.layer]
    case .product, .conserving: [.attention, .feedForward]
    }
  }

  /// Reads a name, nil for one that is none; baselines that it leaves out are the options'.
  ///
  /// - Parameters:
  ///   - name: `layer`, `exact:zero`, `product`, `product:zero+att-itb`.
  ///   - options: where the baselines are that the name leaves out.
  public init?(_ name: String, _ options: FlowOptions) {
    let parts = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let baselines = parts.count > 1 ? String(parts[1]) : nil
    var single = options.layerBaseline
    var pair = (options.attentionBaseline, options.feedForwardBaseline)
    let isOfLayer = ["layer", "exact"].contains(parts[0])
    if let baselines {
      if isOfLayer {
        guard let found = LayerBaseline(rawValue: baselines) else { return nil }
        single = found
      } else {
        let names = baselines.split(separator: "+", omittingEmptySubsequences: false).map(
          String.init)
        guard names.count == 2, let attention = AttentionBaseline(rawValue: names[0]),
          let feedForward = FeedForwardBaseline(rawValue: names[1])
        else { return nil }
        pair = (attention, feedForward)
      }
    }
    switch parts[0] {
    case "layer": self = .layer(single)
    case "exact": self = .exact(single)
    case "product": self = .product(pair.0, pair.1)
    case "conserving": self = .conserving(pair.0, pair.1)
    default: return nil
    }
  }
}

/// What is asked of a text.
public struct FlowPlan: Sendable {
  /// Which maps, and how.
  public var options = FlowOptions()
  /// Which compositions are shown.
  public var compositions: [Composition] = []
  /// Two ways to be compared.
  public var compared: (FlowWay, FlowWay)?

  /// Maps of layers, and no more.
  public init() {}

  /// Makes the flows of a text.
  ///
  /// - Parameters:
  ///   - prompt: the text.
  ///   - loaded: the model.
  ///   - progress: told the share that is done.
  /// - Returns: everything asked for; the model's hash is left to the caller.
  /// - Throws: `FlowError` for what the model or the text does not have, `ModelError` for a text that the model
  ///   cannot run, `EngineError` when memory runs out.
  /// - Complexity: one forward pass, and the maps' own (`TokenFlow.flows`).
  public func result(
    of prompt: Explainer.Prompt, in loaded: LoadedModel, progress: (Double) -> Void = { _ in }
  ) throws -> FlowResult {
    let clock = ContinuousClock()
    let start = clock.now
    let flow = try TokenFlow(prompt.ids, in: loaded.model)
    let request = try FlowRequest(options, flow)
    let forward = clock.now
    var made = try maps(of: flow, progress: progress)
    let integrated = clock.now

    var layers = made.layers
    for composition in compositions {
      let way: FlowWay =
        switch composition {
        case .product: .product(options.attentionBaseline, options.feedForwardBaseline)
        case .conserving: .conserving(options.attentionBaseline, options.feedForwardBaseline)
        case .exact: .exact(options.layerBaseline)
        }
      for (index, array) in try made.arrays(way).enumerated() {
        layers[index].composed = (layers[index].composed ?? [:]).merging(
          [composition.rawValue: array]) { $1 }
      }
    }
    let agreement = try compared.map { try made.agreement($0, $1) }?
      .filter { $0.head.map(request.heads.contains) ?? true }
    let shown = layers.map {
      $0.showing(heads: request.heads, request.targets, options.quadrature.tolerance)
    }
    var result = FlowResult(
      toolVersion: telescopeVersion, model: loaded.modelDescription,
      device: loaded.model.device.name, text: prompt.text,
      tokens: prompt.ids.map(loaded.describe), parameters: parameters(request), layers: shown,
      agreement: agreement)
    result.warnings = warnings(shown, flow)
    func milliseconds(_ from: ContinuousClock.Instant, _ to: ContinuousClock.Instant) -> Double {
      (to - from) / .milliseconds(1)
    }
    result.timingsMs = [
      "forward": milliseconds(start, forward), "flows": milliseconds(forward, integrated),
      "total": milliseconds(start, clock.now),
    ]
    return result
  }

  private func maps(of flow: TokenFlow, progress: (Double) -> Void) throws -> MapsByBaseline {
    // Sums over heads are over all, whatever is shown.
    var whole = options
    whole.heads = nil
    let request = try FlowRequest(whole, flow)
    return MapsByBaseline(
      flow: flow, options: whole, request: request,
      layers: try flow.flows(whole, progress: progress))
  }

  /// The maps that are shown or that compositions are of.
  public var usedMaps: Set<FlowGranularity> {
    compositions.reduce(into: options.granularities) { maps, composition in
      maps.formUnion(composition == .exact ? [.layer] : [.attention, .feedForward])
    }
  }

  private func parameters(_ request: FlowRequest) -> FlowParameters {
    let used = usedMaps
    let (name, tolerance, steps): (String, Double?, Int?) =
      switch options.quadrature {
      case .adaptive(let tolerance): ("gauss-legendre", tolerance, nil)
      case .fixed(let nodes): ("gauss-legendre", nil, nodes)
      case .captumTrapezoid(let steps): ("captum-trapezoid", nil, steps)
      }
    return FlowParameters(
      granularity: FlowGranularity.allCases.filter(options.granularities.contains).map(\.rawValue),
      baseline: FlowBaselineNames(
        attention: used.contains(.attention) ? options.attentionBaseline.rawValue : nil,
        feedForward: used.contains(.feedForward) ? options.feedForwardBaseline.rawValue : nil,
        layer: used.contains(.layer) ? options.layerBaseline.rawValue : nil),
      boundary: options.boundary.rawValue, scalarisation: options.scalarisation.rawValue,
      quadrature: name, tolerance: tolerance, steps: steps, targets: request.targets,
      heads: request.heads)
  }

  private func warnings(_ layers: [FlowLayer], _ flow: TokenFlow) -> [String] {
    var warnings: [String] = []
    for (name, path) in [
      ("attention", \FlowLayer.attentionFlow), ("layer", \FlowLayer.layerFlow),
    ] {
      let found = layers.compactMap { layer -> (layer: Int, count: Int)? in
        let count = layer[keyPath: path]?.selfShare.map { improperShares($0).count } ?? 0
        return count > 0 ? (layer.layer, count) : nil
      }
      guard !found.isEmpty else { continue }
      let count = found.reduce(0) { $0 + $1.count }
      let numbers = found.map { String($0.layer) }.joined(separator: ", ")
      warnings.append(
        "\(count) self shares of \(name) maps lie outside 0 to 1, in \(found.count == 1 ? "layer" : "layers") "
          + "\(numbers): in those columns the zero baseline has no share to give, and signs say nothing."
      )
    }
    let sandwich = layers.map(\.layer).filter(flow.isSandwich)
    if options.boundary == .published, usedMaps.contains(.feedForward), !sandwich.isEmpty {
      warnings.append(
        "In blocks with norms at their branches' ends the published boundary is the strict one, as in the "
          + "published package.")
    }
    return warnings
  }
}

extension FlowLayer {
  /// The same with some of the heads.
  fileprivate func showing(heads: [Int], _ targets: [Int], _ tolerance: Double) -> FlowLayer {
    func chosen(_ array: AxisArray) -> AxisArray {
      guard array.axes.last == "head", array.shape.last != heads.count else { return array }
      let count = array.shape[array.shape.count - 1]
      return AxisArray(
        axes: array.axes, shape: array.shape.dropLast() + [heads.count],
        values: stride(from: 0, to: array.values.count, by: count).flatMap { start in
          heads.map { array.values[start + $0] }
        })
    }
    func chosen(_ map: FlowMap?) -> FlowMap? {
      guard var map else { return nil }
      let count = map.array.shape[map.array.shape.count - 1]
      map.array = chosen(map.array)
      map.totals = chosen(map.totals)
      map.completenessError = chosen(map.completenessError)
      map.selfShare = map.selfShare.map(chosen)
      guard map.array.axes.count == 3, map.array.shape[2] < count else { return map }
      // Heads that are not shown mark no target.
      map.unconverged = map.unconverged.filter { target in
        targets.firstIndex(of: target).map { column in
          heads.indices.contains { map.completenessError[column, $0] > tolerance }
        } ?? false
      }
      return map
    }
    var layer = self
    layer.attentionFlow = chosen(attentionFlow)
    layer.feedForwardFlow = chosen(feedForwardFlow)
    layer.layerFlow = chosen(layerFlow)
    if let through = self.heads {
      layer.heads = FlowHeads(
        conductance: chosen(through.conductance), residual: through.residual)
    }
    return layer
  }
}

/// A text's maps by where their paths start, made when they are first asked for.
private struct MapsByBaseline {
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
