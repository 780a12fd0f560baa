/// What the agreements of many texts have in common: the JSON schema `telescope/flow-aggregate/1`.
public struct FlowAggregateResult: Codable, Sendable, Equatable {
  /// Always `telescope/flow-aggregate/1`.
  public var schema: String
  /// The version of Telescope that wrote this.
  public var toolVersion: String
  /// The model.
  public var model: ModelDescription
  /// Where the model ran.
  public var device: String
  /// The routes that were compared.
  public var routes: [String]
  /// Texts.
  public var texts: Int
  /// Columns of all texts and layers.
  public var columns: Int
  /// How many times texts were drawn for the intervals.
  public var resamples: Int
  /// Of the draws.
  public var seed: Int
  /// Each layer by itself, then all together (no layer): the routes, then what knows nothing.
  public var scores: [FlowScoreMean]
  /// What a reader should know.
  public var warnings: [String]
  /// Wall time by stage, in milliseconds; absent with `--reproducible`.
  public var timingsMs: [String: Double]?

  /// The schema name that this version writes.
  public static let schemaName = "telescope/flow-aggregate/1"

  /// Gathers the values.
  public init(
    schema: String = FlowAggregateResult.schemaName, toolVersion: String, model: ModelDescription,
    device: String, routes: [String], texts: Int, columns: Int, resamples: Int, seed: Int,
    scores: [FlowScoreMean], warnings: [String] = [], timingsMs: [String: Double]? = nil
  ) {
    self.schema = schema
    self.toolVersion = toolVersion
    self.model = model
    self.device = device
    self.routes = routes
    self.texts = texts
    self.columns = columns
    self.resamples = resamples
    self.seed = seed
    self.scores = scores
    self.warnings = warnings
    self.timingsMs = timingsMs
  }

  enum CodingKeys: String, CodingKey {
    case schema
    case toolVersion = "tool_version"
    case model, device, routes, texts, columns, resamples, seed, scores, warnings
    case timingsMs = "timings_ms"
  }
}

extension FlowAggregateResult: SchemaDocument {
  /// The command that writes it.
  public static let writer = "telescope flow --aggregate"

  /// Checks that there is a text, and that intervals hold their means.
  ///
  /// - Throws: ``ResultsError`` that names the first field that is out of range.
  public func checkRanges() throws {
    try RangeCheck.natural(texts, from: 1, "texts")
    try RangeCheck.natural(columns, "columns")
    try RangeCheck.natural(resamples, from: 1, "resamples")
    for (index, score) in scores.enumerated() {
      if let layer = score.layer { try RangeCheck.natural(layer, "scores[\(index)].layer") }
    }
  }
}

/// One score's mean over the columns of all texts, with its 95 % bootstrap interval over texts.
public struct FlowScoreMean: Codable, Sendable, Equatable {
  /// The layer; nil for all together.
  public var layer: Int?
  /// The null predictor; nil for the routes themselves.
  public var null: String?
  /// Whether the target's own entry counts.
  public var withSelf: Bool
  /// The score by its name in `telescope/flow/1`.
  public var measure: String
  /// The mean.
  public var mean: Double
  /// The 2.5th percentile of resampled means.
  public var low: Double
  /// The 97.5th.
  public var high: Double

  /// Gathers the values.
  public init(
    layer: Int?, null: String?, withSelf: Bool, measure: String, mean: Double, low: Double,
    high: Double
  ) {
    self.layer = layer
    self.null = null
    self.withSelf = withSelf
    self.measure = measure
    self.mean = mean
    self.low = low
    self.high = high
  }

  enum CodingKeys: String, CodingKey {
    case layer, null
    case withSelf = "with_self"
    case measure, mean, low, high
  }
}
