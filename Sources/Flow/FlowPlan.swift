public import Attribution
public import LanguageModels
public import Results
internal import Tensors

// What a person asks of a text: maps, compositions of them, and how far two routes agree. Maps that several of
// these need are made once.

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
