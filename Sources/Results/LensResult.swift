/// What `telescope lens show` found: the JSON schema `telescope/lens/1`.
public struct LensResult: Codable, Sendable, Equatable {
  /// Always `telescope/lens/1`.
  public var schema: String
  /// The version of Telescope that wrote this.
  public var toolVersion: String
  /// The model.
  public var model: ModelDescription
  /// Where the model ran.
  public var device: String
  /// The text as the person gave it.
  public var text: String
  /// Its tokens, and the continuation if one was asked for.
  public var tokens: [TokenDescription]
  /// Which lens.
  public var lens: LensDescription
  /// Where in a block states are read: `before`, `middle` (after attention), `after`.
  public var moment: String
  /// The positions shown, ascending.
  public var positions: [Int]
  /// The token whose numbers each cell has, one per position: the next of the text, or the model's own.
  public var targets: [TokenDescription]
  /// One per layer shown, from the first block up; the last row is the model's own output.
  public var layers: [LensLayer]
  /// What a reader should know.
  public var warnings: [String]
  /// Wall time by stage, in milliseconds; absent with `--reproducible`.
  public var timingsMs: [String: Double]?

  /// The schema name that this version writes.
  public static let schemaName = "telescope/lens/1"

  /// Gathers the values.
  public init(
    schema: String = LensResult.schemaName, toolVersion: String, model: ModelDescription,
    device: String, text: String, tokens: [TokenDescription], lens: LensDescription, moment: String,
    positions: [Int], targets: [TokenDescription], layers: [LensLayer], warnings: [String] = [],
    timingsMs: [String: Double]? = nil
  ) {
    self.schema = schema
    self.toolVersion = toolVersion
    self.model = model
    self.device = device
    self.text = text
    self.tokens = tokens
    self.lens = lens
    self.moment = moment
    self.positions = positions
    self.targets = targets
    self.layers = layers
    self.warnings = warnings
    self.timingsMs = timingsMs
  }

  enum CodingKeys: String, CodingKey {
    case schema
    case toolVersion = "tool_version"
    case model, device, text, tokens, lens, moment, positions, targets, layers, warnings
    case timingsMs = "timings_ms"
  }
}

extension LensResult: SchemaDocument {
  /// The command that writes it.
  public static let writer = "telescope lens show --json"

  /// Checks that positions exist and ascend, and that every list has one entry a position.
  ///
  /// - Throws: ``ResultsError`` that names the first field that is out of range.
  public func checkRanges() throws {
    for (index, position) in positions.enumerated() {
      let path = "positions[\(index)]"
      try RangeCheck.position(position, of: tokens, path)
      guard index == 0 || position > positions[index - 1] else {
        throw ResultsError.outOfRange(path, position, "after the position before it")
      }
    }
    try RangeCheck.counts(targets.count, "targets", as: positions.count, of: "positions")
    for (index, layer) in layers.enumerated() {
      let path = "layers[\(index)]"
      try RangeCheck.layer(layer.layer, path + ".layer")
      try RangeCheck.counts(
        layer.cells.count, path + ".cells", as: positions.count, of: "positions")
      for (cell, reading) in layer.cells.enumerated() {
        try RangeCheck.natural(reading.rank, from: 1, path + ".cells[\(cell)].rank")
      }
    }
  }
}

/// Which lens reads the states.
public struct LensDescription: Codable, Sendable, Equatable {
  /// `logit` or `tuned`.
  public var kind: String
  /// The tuned lens's file name.
  public var file: String?
  /// Its SHA-256.
  public var sha256: String?

  /// Gathers the values.
  public init(
    kind: String, file: String? = nil, sha256: String? = nil
  ) {
    self.kind = kind
    self.file = file
    self.sha256 = sha256
  }
}

/// One layer's readings.
public struct LensLayer: Codable, Sendable, Equatable {
  /// The block; −1 is the embedding.
  public var layer: Int
  /// One per position.
  public var cells: [LensCell]

  /// Gathers the values.
  public init(
    layer: Int, cells: [LensCell]
  ) {
    self.layer = layer
    self.cells = cells
  }
}

/// What a lens reads from one state.
public struct LensCell: Codable, Sendable, Equatable {
  /// The most probable tokens.
  public var top: [TopToken]
  /// The target token's probability.
  public var probability: Double
  /// Its logit.
  public var logit: Double
  /// Its rank from 1; ties share the best.
  public var rank: Int
  /// The entropy, in nats.
  public var entropy: Double
  /// Σ m log(m / p) from the model's own output m, in nats.
  public var divergence: Double

  /// Gathers the values.
  public init(
    top: [TopToken], probability: Double, logit: Double, rank: Int, entropy: Double,
    divergence: Double
  ) {
    self.top = top
    self.probability = probability
    self.logit = logit
    self.rank = rank
    self.entropy = entropy
    self.divergence = divergence
  }

  enum CodingKeys: String, CodingKey {
    case top, probability, logit, rank, entropy
    case divergence = "kl"
  }
}
