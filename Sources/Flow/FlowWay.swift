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
