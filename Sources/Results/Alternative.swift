// The path and the baseline are choices; completeness holds for every one and says nothing about the
// split. So other choices are computed on the same run and shown as an error bar.

/// The same prediction along another path or from another baseline.
public struct Alternative: Codable, Sendable, Equatable {
  /// `chain`, `straight`, `shapley`, `completion`.
  public var path: String
  /// As in the method; `means` for a mean completion.
  public var baseline: String
  /// The target's value at the baseline.
  public var baselineValue: Double
  /// One per chosen layer, ascending.
  public var values: [Double]
  /// The standard error of each value, where orders were sampled.
  public var standardErrors: [Double]?
  /// Nodes spent per layer, where there were integrals.
  public var nodes: [Int]?
  /// Whether each layer met the tolerance, where there were integrals.
  public var converged: [Bool]?
  /// baselineValue + Σ values − the model's value.
  public var certificate: Double

  /// Gathers the values.
  public init(
    path: String, baseline: String, baselineValue: Double, values: [Double],
    standardErrors: [Double]? = nil, nodes: [Int]? = nil, converged: [Bool]? = nil,
    certificate: Double
  ) {
    self.path = path
    self.baseline = baseline
    self.baselineValue = baselineValue
    self.values = values
    self.standardErrors = standardErrors
    self.nodes = nodes
    self.converged = converged
    self.certificate = certificate
  }

  enum CodingKeys: String, CodingKey {
    case path, baseline
    case baselineValue = "baseline_value"
    case values
    case standardErrors = "standard_errors"
    case nodes, converged, certificate
  }
}

/// How far two ways of splitting one prediction agree on the order of its layers.
public struct RankCorrelation: Codable, Sendable, Equatable {
  /// The first, as `path/baseline`.
  public var first: String
  /// The second.
  public var second: String
  /// Spearman's rank correlation of the layers' values; absent where one has no order.
  public var spearman: Double?

  /// Gathers the values.
  public init(
    first: String, second: String, spearman: Double? = nil
  ) {
    self.first = first
    self.second = second
    self.spearman = spearman
  }
}
