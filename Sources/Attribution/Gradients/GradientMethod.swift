public import LanguageModels
public import Results
public import Tensors

/// A way to give every number at some sites a score; positive supports the metric.
public protocol GradientMethod: AttributionSource {
  /// The scores of sites in the setting's texts.
  ///
  /// - Parameters:
  ///   - sites: among the model's, and `.embedding`.
  ///   - setting: texts, metric, and where paths start.
  ///   - progress: told the share done.
  /// - Returns: scores shaped as the sites' values, and what they must sum to where that is known.
  /// - Throws: `ModelError`, `AttributionError` or `EngineError`.
  func scores(
    of sites: [Site], in setting: GradientSetting, progress: (Double) -> Void
  ) throws -> SiteScores

  /// Whether scores are slopes, of which a unit has a length and no sign.
  var isUnsigned: Bool { get }

  /// Why scores at a site need not sum to anything, in one sentence; nil where they must.
  func noSum(at site: Site) -> String?
}

extension GradientMethod {
  /// Most scores are parts, which add up.
  public var isUnsigned: Bool { false }
}

/// Scores by site.
public struct SiteScores {
  /// Shaped as the sites' values: [batch, …].
  public var values: [Site: Tensor]
  /// m of the texts.
  public var end: [Double]
  /// m of where paths start, where that was run.
  public var start: [Double]?
  /// What a site's scores and its constants must sum to, over all texts.
  public var expected: [Site: Double] = [:]
  /// What biases hold of that.
  public var constants: [Site: Double] = [:]
  /// Gradients were taken at so many points; nil where it is one.
  public var nodes: Int?
  /// Runs over one text.
  public var passes: PassCount

  init(
    values: [Site: Tensor], end: [Double], start: [Double]? = nil, expected: [Site: Double] = [:],
    constants: [Site: Double] = [:], nodes: Int? = nil, passes: PassCount
  ) {
    self.values = values
    self.end = end
    self.start = start
    self.expected = expected
    self.constants = constants
    self.nodes = nodes
    self.passes = passes
  }

  /// The scores of a path integral, which at these sites must sum to the metric's change.
  init(_ found: PathIntegral.Scores, complete: [Site]) {
    let change = zip(found.end, found.start).reduce(0) { $0 + $1.0 - $1.1 }
    self.init(
      values: found.values, end: found.end, start: found.start,
      expected: Dictionary(complete.map { ($0, change) }) { first, _ in first },
      nodes: found.nodes, passes: found.passes)
  }
}

extension Site {
  /// Whether all that reaches the metric from before passes here.
  public var isCut: Bool {
    switch self {
    case .embedding, .residual(_, .before), .residual(_, .after): true
    default: false
    }
  }
}

extension [Site] {
  /// The sites through which everything passes.
  var cuts: [Site] { filter(\.isCut) }
}
