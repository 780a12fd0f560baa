// What can be chosen of a flow: which maps, where paths start, what of the output is measured, and how the
// integral is formed.

/// A map of a block between two of its boundaries z, u and z′.
public enum FlowGranularity: String, Sendable, Hashable, CaseIterable {
  /// z → u: from tokens to each head's mix.
  case attention
  /// u → z′: from a token's heads to the token that leaves.
  case feedForward = "feed-forward"
  /// z → z′: from tokens to tokens.
  case layer
}

/// What u is where the feed-forward map starts.
public enum FlowBoundary: String, Sendable, Hashable, CaseIterable {
  /// The heads' mixes joined, with the stream that entered the block held.
  case strict
  /// The stream between attention and feed-forward network, as the published package has it for BERT and
  /// pre-norm decoders; its scores by head are of slices of that vector.
  case published
}

/// The number S of an output F on the way from baseline to input.
public enum FlowScalarisation: String, Sendable, Hashable, CaseIterable {
  /// ‖F(a) − F(0)‖ (the paper's).
  case length
  /// ⟨e, F(a) − F(0)⟩ with e the direction of F(1) − F(0): complete component by component.
  case projection
}

/// Where the paths of z → u start.
public enum AttentionBaseline: String, Sendable, Hashable, CaseIterable {
  /// Every token at 0.
  case zero
  /// Every token at the target's own vector (ITB): its own term is 0.
  case itb
  /// ITB, with the share of the target itself taken from the zero baseline.
  case itbZeroRatio = "itb-zero-ratio"
  /// ITB, with the attention that the target pays itself as its share.
  case itbMapRatio = "itb-map-ratio"
}

/// Where the paths of u → z′ start.
public enum FeedForwardBaseline: String, Sendable, Hashable, CaseIterable {
  /// u at 0.
  case zero
  /// What u is when every token is the target's own: the start of ITB's path.
  case attITB = "att-itb"
}

/// Where the paths of z → z′ start.
public enum LayerBaseline: String, Sendable, Hashable, CaseIterable {
  /// Every token at 0.
  case zero
  /// Every token at the target's own vector (ITB): its own term is 0.
  case itb
  /// ITB, with the share of the target itself taken from the zero baseline.
  case itbZeroRatio = "itb-zero-ratio"
}

/// How the integral over a path is formed.
public enum FlowQuadrature: Sendable, Hashable {
  /// Gauss–Legendre, on a path that starts slowly for zero baselines; nodes are doubled for the targets whose
  /// relative completeness error is above the tolerance.
  case adaptive(tolerance: Double)
  /// The same with a fixed number of nodes.
  case fixed(nodes: Int)
  /// The published rule: a = k/(n − 1), weights 1/n and half of it at the ends, the node a = 0 without a
  /// gradient. What is left of the weights sums to 1 − 3/2n, so it misses completeness even on a straight line.
  case captumTrapezoid(steps: Int)
}

/// What a flow is asked for.
public struct FlowOptions: Sendable {
  /// Which maps.
  public var granularities: Set<FlowGranularity> = [.layer]
  /// Of z → u.
  public var attentionBaseline: AttentionBaseline = .itb
  /// Of u → z′.
  public var feedForwardBaseline: FeedForwardBaseline = .attITB
  /// Of z → z′.
  public var layerBaseline: LayerBaseline = .itb
  /// What u is where the feed-forward map starts.
  public var boundary: FlowBoundary = .strict
  /// The number that is attributed.
  public var scalarisation: FlowScalarisation = .length
  /// How the integral is formed.
  public var quadrature: FlowQuadrature = .adaptive(tolerance: 1e-3)
  /// The layers, nil for all.
  public var layers: [Int]?
  /// The positions that receive, nil for all.
  public var targets: [Int]?
  /// The heads that are shown, nil for all; sums over heads are always over all.
  public var heads: [Int]?

  /// The most bytes beside the weights; nil for no limit.
  public var memory: Int?
  /// Whether a layer's map is also split by head.
  public var splitsHeads = true
  /// Whether the feed-forward map is also given by the numbers of u.
  public var splitsCoordinates = false
  /// By which formulas.
  public var formulas: FlowFormulas = .closed
  /// How many numbers an intermediate result may have; what is computed together follows from it.
  package var numbersAtOnce = 1_000_000

  /// The defaults: layers' maps from ITB, to 1e-3.
  public init() {}
}

/// By which formulas flows are made.
public enum FlowFormulas: Sendable {
  /// Closed forms where the block has any, else automatic gradients.
  case closed
  /// Automatic gradients through the block's sites, target by target.
  case automatic
}
