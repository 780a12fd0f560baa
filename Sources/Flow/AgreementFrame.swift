// What the columns of two routes must have in common to be compared.

/// Which sources a target sees.
///
/// A source that a mask hides from a target has no say in it by construction. That both routes give it 0 is no
/// sign of agreement, so comparisons leave it out; only the metric as published counts whole columns.
public struct SourceVisibility: Sendable, Hashable {
  /// Whether a target sees only itself and what is before it.
  public var isCausal: Bool
  /// How far a target sees on a side, itself included; nil for all the way.
  public var window: Int?

  /// Names what is seen.
  ///
  /// - Parameters:
  ///   - isCausal: whether a target sees only itself and what is before it.
  ///   - window: how far it sees on a side, itself included; nil for all the way.
  public init(isCausal: Bool, window: Int? = nil) {
    self.isCausal = isCausal
    self.window = window
  }

  /// Whether a target sees a source.
  ///
  /// - Parameters:
  ///   - target: the position that receives.
  ///   - source: the position that gives.
  /// - Returns: true for the target itself.
  public func shows(_ target: Int, _ source: Int) -> Bool {
    let distance = target - source
    if distance == 0 { return true }
    return (distance > 0 || !isCausal) && abs(distance) < window ?? .max
  }
}

/// What the maps of all routes of a comparison count.
public struct AgreementFrame: Sendable, Hashable {
  /// The layer of each map.
  public var layers: [Int]
  /// The position of each column.
  public var targets: [Int]
  /// The heads that a head axis counts.
  public var heads: [Int]
  /// What targets see in each layer.
  public var visibility: [SourceVisibility]
  /// How many of a column's largest entries the overlap of largest entries looks at.
  public var topCount: Int

  /// Describes maps.
  ///
  /// - Parameters:
  ///   - layers: the layer of each map.
  ///   - targets: the position of each column.
  ///   - heads: the heads that a head axis counts; empty where no map has one.
  ///   - visibility: what targets see: one for each layer, or one for all.
  ///   - topCount: how many largest entries overlap.
  public init(
    layers: [Int], targets: [Int], heads: [Int] = [], visibility: [SourceVisibility],
    topCount: Int = 3
  ) {
    precondition(
      visibility.count == layers.count || visibility.count == 1,
      "\(visibility.count) visibilities of \(layers.count) layers")
    precondition(topCount > 0, "an overlap of \(topCount) entries")
    self.layers = layers
    self.targets = targets
    self.heads = heads
    self.visibility =
      visibility.count == layers.count
      ? visibility : Array(repeating: visibility[0], count: layers.count)
    self.topCount = topCount
  }
}
