/// What `telescope steer` found: the JSON schema `telescope/steer/1`.
public struct SteerResult: SchemaDocument, Equatable {
  /// Always `telescope/steer/1`.
  public var schema: String
  /// The version of Telescope that wrote this.
  public var toolVersion: String
  /// The model.
  public var model: ModelDescription
  /// Where the model ran.
  public var device: String
  /// The text as the person gave it.
  public var text: String
  /// Its tokens.
  public var tokens: [TokenDescription]
  /// What was changed.
  public var change: SteerChange
  /// The position whose prediction is read.
  public var position: Int
  /// The model as it is.
  public var before: SteerReading
  /// The model with the change.
  public var after: SteerReading
  /// Σ p log(p / q) in nats, with p the prediction before and q after.
  public var divergence: Double
  /// The metric, where an answer was named: `start` before and `value` after.
  public var metric: MetricDescription?
  /// What a reader should know.
  public var warnings: [String]
  /// Wall time by stage, in milliseconds; absent with `--reproducible`.
  public var timingsMs: [String: Double]?

  /// The schema name that this version writes.
  public static let schemaName = "telescope/steer/1"
  /// The command that writes it.
  public static let writer = "telescope steer --json"

  /// Gathers the values.
  public init(
    schema: String = SteerResult.schemaName, toolVersion: String, model: ModelDescription,
    device: String, text: String, tokens: [TokenDescription], change: SteerChange, position: Int,
    before: SteerReading, after: SteerReading, divergence: Double,
    metric: MetricDescription? = nil, warnings: [String] = [], timingsMs: [String: Double]? = nil
  ) {
    self.schema = schema
    self.toolVersion = toolVersion
    self.model = model
    self.device = device
    self.text = text
    self.tokens = tokens
    self.change = change
    self.position = position
    self.before = before
    self.after = after
    self.divergence = divergence
    self.metric = metric
    self.warnings = warnings
    self.timingsMs = timingsMs
  }

  enum CodingKeys: String, CodingKey {
    case schema
    case toolVersion = "tool_version"
    case model, device, text, tokens, change, position, before, after
    case divergence = "kl"
    case metric, warnings
    case timingsMs = "timings_ms"
  }

  /// Checks positions.
  ///
  /// - Throws: `ResultsError` that names the first field that is out of range.
  public func checkRanges() throws {
    try RangeCheck.position(position, of: tokens, "position")
    if let metric {
      try RangeCheck.position(metric.position, of: tokens, "metric.position")
    }
    for (index, unit) in (change.units ?? []).enumerated() {
      try RangeCheck.natural(unit, "change.units[\(index)]")
    }
    for (index, position) in (change.positions ?? []).enumerated() {
      try RangeCheck.natural(position, "change.positions[\(index)]")
    }
  }
}

/// A change of a value on its way through the model.
public struct SteerChange: Codable, Sendable, Equatable {
  /// The site: `residual.after.12`.
  public var site: String
  /// `scale`, `set` or `add`.
  public var kind: String
  /// What the value is multiplied by or set to, or what multiplies the vector that is added.
  public var amount: Double
  /// Where the added vector comes from: `file.safetensors:name`, or nothing.
  public var source: String?
  /// The text whose value is added.
  public var plus: String?
  /// The text whose value is taken away.
  public var minus: String?
  /// The length of what is added, `amount` included.
  public var length: Double?
  /// The units that change; nil for all.
  public var units: [Int]?
  /// The positions at which they do; nil for all, those of the continuation among them.
  public var positions: [Int]?

  /// Gathers the values.
  public init(
    site: String, kind: String, amount: Double, source: String? = nil, plus: String? = nil,
    minus: String? = nil, length: Double? = nil, units: [Int]? = nil, positions: [Int]? = nil
  ) {
    self.site = site
    self.kind = kind
    self.amount = amount
    self.source = source
    self.plus = plus
    self.minus = minus
    self.length = length
    self.units = units
    self.positions = positions
  }
}

/// What a model says, as it is or steered.
public struct SteerReading: Codable, Sendable, Equatable {
  /// The most probable tokens, and those of the other reading; the most probable first.
  public var top: [TopToken]
  /// The greedy continuation.
  public var continuation: [TokenDescription]
  /// The entropy of the prediction, in nats.
  public var entropy: Double

  /// Gathers the values.
  public init(top: [TopToken], continuation: [TokenDescription], entropy: Double) {
    self.top = top
    self.continuation = continuation
    self.entropy = entropy
  }
}
