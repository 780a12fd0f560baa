public import Telescope

/// A layer's map and a composition that should agree with it.
public struct RoutePair: Hashable, Sendable {
  /// Where the layer's paths start.
  public var layer: LayerBaseline
  /// The composition.
  public var way: FlowWay

  /// Pairs them.
  public init(layer: LayerBaseline, way: FlowWay) {
    self.layer = layer
    self.way = way
  }

  /// Every pair: for each reference the published eight, the same by the conserving rule, and the exact one.
  public static let all: [RoutePair] = LayerBaseline.allCases.flatMap { layer in
    let halves = AttentionBaseline.allCases.flatMap { attention in
      FeedForwardBaseline.allCases.map { (attention, $0) }
    }
    return
      (halves.map { FlowWay.product($0, $1) } + halves.map { .conserving($0, $1) }
      + [.exact(layer)]).map { RoutePair(layer: layer, way: $0) }
  }

  /// `layer:itb`, the reference in results.
  public var reference: String { FlowWay.layer(layer).name }

  /// `product:itb+att-itb`, the composition in results.
  public var route: String { way.name }

  /// The rule of composition.
  public var composition: Composition {
    switch way {
    case .product: .product
    case .conserving: .conserving
    case .exact, .layer: .exact
    }
  }

  /// Where the paths of the halves start; nil where nothing is composed of halves.
  public var halves: (attention: AttentionBaseline, feedForward: FeedForwardBaseline)? {
    switch way {
    case .product(let attention, let feedForward), .conserving(let attention, let feedForward):
      (attention, feedForward)
    case .exact, .layer: nil
    }
  }

  /// The halves as the paper calls their baselines: `ITB × ATTITBa=0`; `exact` where there are none.
  public var title: String {
    halves.map { "\($0.publishedName) × \($1.publishedName)" } ?? "exact"
  }
}

extension LayerBaseline {
  /// The paper's name.
  public var publishedName: String {
    switch self {
    case .zero: "Zero"
    case .itb: "ITB"
    case .itbZeroRatio: "ITB-zeroRatio"
    }
  }
}

extension AttentionBaseline {
  /// The paper's name.
  public var publishedName: String {
    switch self {
    case .zero: "Zero"
    case .itb: "ITB"
    case .itbZeroRatio: "ITB-zeroRatio"
    case .itbMapRatio: "ITB-mapRatio"
    }
  }
}

extension FeedForwardBaseline {
  /// The paper's name.
  public var publishedName: String {
    switch self {
    case .zero: "Zero"
    case .attITB: "ATTITBa=0"
    }
  }
}
