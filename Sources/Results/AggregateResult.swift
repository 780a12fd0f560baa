/// What many explanations have in common: the JSON schema `telescope/aggregate/1`.
public struct AggregateResult: Codable, Sendable, Equatable {
  /// Always `telescope/aggregate/1`.
  public var schema: String
  /// The version of Telescope that wrote this.
  public var toolVersion: String
  /// The model.
  public var model: ModelDescription
  /// Where the model ran.
  public var device: String
  /// How many prompts were read.
  public var prompts: Int
  /// How many predictions they explain.
  public var tokens: Int
  /// How they were made.
  public var method: MethodDescription
  /// How many bootstrap resamples over prompts the intervals come from.
  public var resamples: Int
  /// Their seed.
  public var seed: Int
  /// The mean share of each layer's value.
  public var profile: [LayerInterval]
  /// The share of predictions whose onset is at each layer.
  public var onset: [LayerInterval]
  /// How far attributions and causal checks agree; empty without `--check`.
  public var agreement: [AgreementInterval]
  /// The share of certified segments that met their tolerance.
  public var converged: Double?
  /// What a reader should know.
  public var warnings: [String]
  /// Wall time by stage, in milliseconds; absent with `--reproducible`.
  public var timingsMs: [String: Double]?

  /// The schema name that this version writes.
  public static let schemaName = "telescope/aggregate/1"

  /// Gathers the values.
  public init(
    schema: String = AggregateResult.schemaName, toolVersion: String, model: ModelDescription,
    device: String, prompts: Int, tokens: Int, method: MethodDescription, resamples: Int, seed: Int,
    profile: [LayerInterval], onset: [LayerInterval], agreement: [AgreementInterval] = [],
    converged: Double? = nil, warnings: [String] = [], timingsMs: [String: Double]? = nil
  ) {
    self.schema = schema
    self.toolVersion = toolVersion
    self.model = model
    self.device = device
    self.prompts = prompts
    self.tokens = tokens
    self.method = method
    self.resamples = resamples
    self.seed = seed
    self.profile = profile
    self.onset = onset
    self.agreement = agreement
    self.converged = converged
    self.warnings = warnings
    self.timingsMs = timingsMs
  }

  enum CodingKeys: String, CodingKey {
    case schema
    case toolVersion = "tool_version"
    case model, device, prompts, tokens, method, resamples, seed, profile, onset, agreement,
      converged, warnings
    case timingsMs = "timings_ms"
  }
}

extension AggregateResult: SchemaDocument {
  /// The command that writes it.
  public static let writer = "telescope explain --input --json"

  /// Checks that counts are counts and layers are layers.
  ///
  /// - Throws: ``ResultsError`` that names the first field that is out of range.
  public func checkRanges() throws {
    try RangeCheck.natural(prompts, "prompts")
    try RangeCheck.natural(tokens, "tokens")
    try RangeCheck.natural(resamples, "resamples")
    for (index, interval) in profile.enumerated() {
      try RangeCheck.layer(interval.layer, "profile[\(index)].layer")
    }
    for (index, interval) in onset.enumerated() {
      try RangeCheck.layer(interval.layer, "onset[\(index)].layer")
    }
  }
}

/// A mean at one layer with its 95 % bootstrap interval.
public struct LayerInterval: Codable, Sendable, Equatable {
  /// The block.
  public var layer: Int
  /// The mean.
  public var mean: Double
  /// The 2.5th percentile of resampled means.
  public var low: Double
  /// The 97.5th.
  public var high: Double

  /// Gathers the values.
  public init(
    layer: Int, mean: Double, low: Double, high: Double
  ) {
    self.layer = layer
    self.mean = mean
    self.low = low
    self.high = high
  }
}

/// A mean agreement with its 95 % bootstrap interval.
public struct AgreementInterval: Codable, Sendable, Equatable {
  /// What parts were replaced by.
  public var replacement: CausalCheck.Replacement
  /// The kind of part.
  public var kind: CheckedPart.Kind
  /// `spearman` or `sign`.
  public var measure: String
  /// The mean.
  public var mean: Double
  /// The 2.5th percentile of resampled means.
  public var low: Double
  /// The 97.5th.
  public var high: Double

  /// Gathers the values.
  public init(
    replacement: CausalCheck.Replacement, kind: CheckedPart.Kind, measure: String, mean: Double,
    low: Double, high: Double
  ) {
    self.replacement = replacement
    self.kind = kind
    self.measure = measure
    self.mean = mean
    self.low = low
    self.high = high
  }
}
