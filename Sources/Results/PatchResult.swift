/// What `telescope patch` found: the JSON schema `telescope/patch/1`.
public struct PatchResult: SchemaDocument, Equatable {
  /// Always `telescope/patch/1`.
  public var schema: String
  /// The version of Telescope that wrote this.
  public var toolVersion: String
  /// The model.
  public var model: ModelDescription
  /// Where the model ran.
  public var device: String
  /// The clean text as the person gave it.
  public var text: String
  /// Its tokens.
  public var tokens: [TokenDescription]
  /// The corrupted text; nil where the clean one is corrupted by noise.
  public var contrast: ContrastText?
  /// The noise that corrupts; nil where another text does.
  public var noise: NoiseDescription?
  /// The metric: `value` in the clean run, `start` in the corrupted one, a mean over samples of noise.
  public var metric: MetricDescription
  /// `denoise`: clean values go into the corrupted run; `noise`: the other way round.
  public var direction: String
  /// One for each kind of unit.
  public var grids: [PatchGrid]
  /// How many runs it took.
  public var passes: PassCount
  /// What a reader should know.
  public var warnings: [String]
  /// Wall time by stage, in milliseconds; absent with `--reproducible`.
  public var timingsMs: [String: Double]?

  /// The schema name that this version writes.
  public static let schemaName = "telescope/patch/1"
  /// The command that writes it.
  public static let writer = "telescope patch --json"

  /// Gathers the values.
  public init(
    schema: String = PatchResult.schemaName, toolVersion: String, model: ModelDescription,
    device: String, text: String, tokens: [TokenDescription], contrast: ContrastText? = nil,
    noise: NoiseDescription? = nil, metric: MetricDescription, direction: String,
    grids: [PatchGrid], passes: PassCount, warnings: [String] = [],
    timingsMs: [String: Double]? = nil
  ) {
    self.schema = schema
    self.toolVersion = toolVersion
    self.model = model
    self.device = device
    self.text = text
    self.tokens = tokens
    self.contrast = contrast
    self.noise = noise
    self.metric = metric
    self.direction = direction
    self.grids = grids
    self.passes = passes
    self.warnings = warnings
    self.timingsMs = timingsMs
  }

  enum CodingKeys: String, CodingKey {
    case schema
    case toolVersion = "tool_version"
    case model, device, text, tokens, contrast, noise, metric, direction, grids, passes, warnings
    case timingsMs = "timings_ms"
  }

  /// Checks positions and extents.
  ///
  /// - Throws: `ResultsError` that names the first field that is out of range.
  public func checkRanges() throws {
    try RangeCheck.position(metric.position, of: tokens, "metric.position")
    for (index, position) in (noise?.positions ?? []).enumerated() {
      try RangeCheck.position(position, of: tokens, "noise.positions[\(index)]")
    }
    for (index, grid) in grids.enumerated() { try grid.check(tokens, "grids[\(index)]") }
  }
}

/// Gaussian noise on the embeddings of some tokens.
public struct NoiseDescription: Codable, Sendable, Equatable {
  /// The noise's standard deviation in units of the embeddings' own.
  public var scale: Double
  /// The standard deviation of what the first block receives, over the tokens up to the prediction.
  public var deviation: Double
  /// The tokens that get it.
  public var positions: [Int]
  /// Draws that numbers are means over.
  public var samples: Int
  /// What draws them.
  public var seed: Int

  /// Gathers the values.
  public init(scale: Double, deviation: Double, positions: [Int], samples: Int, seed: Int) {
    self.scale = scale
    self.deviation = deviation
    self.positions = positions
    self.samples = samples
    self.seed = seed
  }
}

/// What the metric is when one unit's value comes from the other run.
public struct PatchGrid: Codable, Sendable, Equatable {
  /// `residual` (what enters a block), `attention` and `mlp` (what they add), or `head` (its mix of values).
  public var unit: String
  /// The blocks.
  public var layers: [Int]
  /// How many blocks in a row are patched together, the one named being their middle.
  public var window: Int
  /// The tokens: each by itself, or all at once for heads.
  public var positions: [Int]
  /// m, with axes `layer`, `position`, or `layer`, `head` for heads.
  public var metric: AxisArray
  /// (m − m_corrupted) / (m_clean − m_corrupted), likewise; nil where the divisor is too small.
  public var effect: AxisArray?

  /// Gathers the values.
  public init(
    unit: String, layers: [Int], window: Int, positions: [Int], metric: AxisArray,
    effect: AxisArray?
  ) {
    self.unit = unit
    self.layers = layers
    self.window = window
    self.positions = positions
    self.metric = metric
    self.effect = effect
  }

  /// The axes that arrays have.
  public var axes: [String] { ["layer", unit == "head" ? "head" : "position"] }

  func check(_ tokens: [TokenDescription], _ path: String) throws {
    guard ["residual", "attention", "mlp", "head"].contains(unit) else {
      throw ResultsError.unknown(path + ".unit", unit)
    }
    try RangeCheck.natural(window, from: 1, path + ".window")
    for (index, layer) in layers.enumerated() {
      try RangeCheck.natural(layer, "\(path).layers[\(index)]")
    }
    for (index, position) in positions.enumerated() {
      try RangeCheck.position(position, of: tokens, "\(path).positions[\(index)]")
    }
    for (array, name) in [(metric, "metric"), (effect ?? metric, "effect")] {
      guard array.axes == axes else {
        throw ResultsError.axes("\(path).\(name).axes", array.axes, wanted: axes)
      }
      try RangeCheck.counts(
        array.shape[0], "\(path).\(name)", as: layers.count, of: "\(path).layers")
      if unit != "head" {
        try RangeCheck.counts(
          array.shape[1], "\(path).\(name)[0]", as: positions.count, of: "\(path).positions")
      } else {
        try RangeCheck.counts(
          array.shape[1], "\(path).\(name)[0]", as: metric.shape[1], of: "\(path).metric[0]")
      }
    }
  }
}
