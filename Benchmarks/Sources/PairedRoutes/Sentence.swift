public import Telescope

// What 51 pairs need of a sentence is six integrals: of each of the three maps from its two baselines. The
// ratio variants are mixtures of ITB's columns by a share that zero's columns or attention give, and all
// compositions are sums over the same maps.

/// What the pairs of routes score on one sentence.
public struct SentenceAgreement: Sendable {
  /// One for each of `RoutePair.all`.
  public let agreements: [RouteAgreement]
  /// Completeness errors of the maps that were integrated, by `layer zero`, `attention itb`…: one for each
  /// target, of attention one for each target and head.
  public let completeness: [String: [Double]]
  /// |Σ_i C_ij − Σ_i Z_ij| / Σ_i |Z_ij| of each column, for each of `RoutePair.all`.
  public let sumErrors: [[Double]]
  /// How many self shares of the zero baseline lie outside [0, 1], and of how many.
  public let improperRatios: (count: Int, of: Int)

  /// Measures a sentence.
  ///
  /// - Parameters:
  ///   - ids: its tokens.
  ///   - model: the model.
  ///   - visibility: what targets see: one for each layer, or one for all.
  ///   - quadrature: how integrals are formed.
  ///   - boundary: what u is where the feed-forward map starts.
  /// - Throws: `PairError` for a model without heads, and what running the model throws.
  public init(
    _ ids: [Int], in model: any LanguageModel, visibility: [SourceVisibility],
    quadrature: FlowQuadrature, boundary: FlowBoundary = .strict
  ) throws {
    let flow = try TokenFlow(ids, in: model)
    var options = FlowOptions()
    options.granularities = Set(FlowGranularity.allCases)
    options.quadrature = quadrature
    options.boundary = boundary
    options.attentionBaseline = .zero
    options.feedForwardBaseline = .zero
    options.layerBaseline = .zero
    let zero = try flow.flows(options)
    options.attentionBaseline = .itb
    options.feedForwardBaseline = .attITB
    options.layerBaseline = .itb
    let itb = try flow.flows(options)
    let ownShares = try Self.ownShares(ids, in: model)

    let targets = Array(ids.indices)
    var maps: [FlowWay: [AxisArray]] = [:]
    var improper = (count: 0, of: 0)
    for layer in zero.indices {
      let (start, middle) = (try LayerMaps(zero[layer]), try LayerMaps(itb[layer]))
      let (layerShares, headShares) = (
        zeroRatioShares(start.layer, targets: targets),
        zeroRatioShares(start.attention, targets: targets)
      )
      for shares in [layerShares, headShares] {
        improper.count += improperShares(shares).count
        improper.of += shares.values.count
      }
      func mixed(_ shares: AxisArray, _ map: AxisArray) -> AxisArray {
        withSelfShares(shares, map, targets: targets)
      }
      let exact = (
        start: exactComposition(start.heads, targets: targets),
        middle: exactComposition(middle.heads, targets: targets)
      )
      for (way, map) in [
        (.layer(.zero), start.layer), (.layer(.itb), middle.layer),
        (.layer(.itbZeroRatio), mixed(layerShares, middle.layer)),
        (.exact(.zero), exact.start), (.exact(.itb), exact.middle),
        (.exact(.itbZeroRatio), mixed(layerShares, exact.middle)),
      ] as [(FlowWay, AxisArray)] {
        maps[way, default: []].append(map)
      }
      for (first, attention) in [
        (.zero, start.attention), (.itb, middle.attention),
        (.itbZeroRatio, mixed(headShares, middle.attention)),
        (.itbMapRatio, mixed(ownShares[layer], middle.attention)),
      ] as [(AttentionBaseline, AxisArray)] {
        for (second, feedForward) in [
          (.zero, start.feedForward), (.attITB, middle.feedForward),
        ] as [(FeedForwardBaseline, AxisArray)] {
          maps[.product(first, second), default: []].append(
            productComposition(attention: attention, feedForward: feedForward))
          maps[.conserving(first, second), default: []].append(
            conservingComposition(
              attention: attention, feedForward: feedForward, targets: targets))
        }
      }
    }
    improperRatios = improper

    let frame = AgreementFrame(
      layers: zero.map(\.layer), targets: targets, visibility: visibility)
    func route(_ name: String, _ make: (Int) throws -> AxisArray) rethrows -> FlowRoute {
      FlowRoute(name, try frame.layers.map(make), in: frame)
    }
    let routes = Dictionary(
      uniqueKeysWithValues: maps.map { ($0.key, FlowRoute($0.key.name, $0.value, in: frame)) })
    let attention = try route("attention") { try flow.attentionWeights($0) }
    var references: [LayerBaseline: AgreementReference] = [:]
    for baseline in LayerBaseline.allCases {
      guard let own = routes[.layer(baseline)] else { continue }
      references[baseline] = AgreementReference(
        own, attention: attention,
        change: try route("change") { try flow.changes($0, from: baseline) })
    }
    agreements = RoutePair.all.compactMap { pair in
      routes[pair.way].flatMap { references[pair.layer]?.agreement(with: $0) }
    }
    sumErrors = RoutePair.all.map { pair in
      zip(maps[.layer(pair.layer)] ?? [], maps[pair.way] ?? []).flatMap(Self.sumErrors)
    }
    completeness = Self.completeness(zero).merging(Self.completeness(itb)) { $0 + $1 }
  }

  /// α_jj of each head as a share, on the axes target, head: one for each layer.
  private static func ownShares(
    _ ids: [Int], in model: any LanguageModel
  ) throws -> [AxisArray] {
    let (count, heads, layers) = (ids.count, model.shape.heads, 0..<model.shape.layers)
    let sites = Set(layers.map { Site.attention($0, .pattern) })
    guard sites.isSubset(of: model.sites) else { throw PairError.noHeads }
    let run = try withRecording(false) { try model.run([ids], capturing: sites) }
    return try layers.map { layer in
      let pattern = try run.activations[.attention(layer, .pattern)].values()
      return AxisArray(
        axes: ["target", "head"], shape: [count, heads],
        values: (0..<count * heads).map {
          let (target, head) = $0.quotientAndRemainder(dividingBy: heads)
          return mapRatioShare(pattern[(head * count + target) * count + target])
        })
    }
  }

  private static func sumErrors(_ z: AxisArray, _ c: AxisArray) -> [Double] {
    let columns = z.shape[1]
    return (0..<columns).compactMap { column in
      let cells = stride(from: column, to: z.values.count, by: columns)
      let size = cells.reduce(0) { $0 + abs(z.values[$1]) }
      guard size > 0 else { return nil }
      return abs(cells.reduce(0) { $0 + c.values[$1] - z.values[$1] }) / size
    }
  }

  private static func completeness(_ flows: [FlowLayer]) -> [String: [Double]] {
    var errors: [String: [Double]] = [:]
    for layer in flows {
      for (kind, baseline, map) in [
        ("layer", layer.baseline.layer, layer.layerFlow),
        ("attention", layer.baseline.attention, layer.attentionFlow),
        ("feed-forward", layer.baseline.feedForward, layer.feedForwardFlow),
      ] {
        guard let baseline, let map else { continue }
        errors["\(kind) \(baseline)", default: []] += map.completenessError.values
      }
    }
    return errors
  }
}

/// A layer's maps, all of them.
private struct LayerMaps {
  var layer: AxisArray
  var attention: AxisArray
  var feedForward: AxisArray
  var heads: FlowHeads

  init(_ flow: FlowLayer) throws {
    guard let layer = flow.layerFlow, let attention = flow.attentionFlow,
      let feedForward = flow.feedForwardFlow, let heads = flow.heads
    else { throw PairError.noHeads }
    self.layer = layer.array
    self.attention = attention.array
    self.feedForward = feedForward.array
    self.heads = heads
  }
}

/// Why the experiment cannot go on.
public struct PairError: Error, CustomStringConvertible {
  /// What, where and what to do.
  public let description: String

  /// Says it.
  public init(_ description: String) { self.description = description }

  static let noHeads = PairError(
    "This model's blocks have no heads between two halves, so there is nothing to compose; give a model "
      + "with attention.")
}
