/// What `telescope compare` found: the JSON schema `telescope/compare/1`.
public struct CompareResult: Codable, Sendable, Equatable {
  /// Always `telescope/compare/1`.
  public var schema: String
  /// The version of Telescope that wrote this.
  public var toolVersion: String
  /// The model.
  public var model: ModelDescription
  /// Where the model ran.
  public var device: String
  /// The prompt as the person gave it.
  public var prompt: String
  /// How many of `tokens` belong to the prompt.
  public var promptTokens: Int
  /// Prompt and continuation.
  public var tokens: [TokenDescription]
  /// Where paths start.
  public var baseline: String
  /// The target of the path methods; direct logit attribution and its difference are in logits.
  public var target: String
  /// The blocks, ascending.
  public var layers: [Int]
  /// One per explained token.
  public var explanations: [Comparison]
  /// What a reader should know.
  public var warnings: [String]
  /// Wall time by stage, in milliseconds; absent with `--reproducible`.
  public var timingsMs: [String: Double]?

  /// The schema name that this version writes.
  public static let schemaName = "telescope/compare/1"

  /// Gathers the values.
  public init(
    schema: String = CompareResult.schemaName, toolVersion: String, model: ModelDescription,
    device: String, prompt: String, promptTokens: Int, tokens: [TokenDescription], baseline: String,
    target: String, layers: [Int], explanations: [Comparison], warnings: [String] = [],
    timingsMs: [String: Double]? = nil
  ) {
    self.schema = schema
    self.toolVersion = toolVersion
    self.model = model
    self.device = device
    self.prompt = prompt
    self.promptTokens = promptTokens
    self.tokens = tokens
    self.baseline = baseline
    self.target = target
    self.layers = layers
    self.explanations = explanations
    self.warnings = warnings
    self.timingsMs = timingsMs
  }

  enum CodingKeys: String, CodingKey {
    case schema
    case toolVersion = "tool_version"
    case model, device, prompt
    case promptTokens = "prompt_tokens"
    case tokens, baseline, target, layers, explanations, warnings
    case timingsMs = "timings_ms"
  }
}

extension CompareResult: SchemaDocument {
  /// The command that writes it.
  public static let writer = "telescope compare --json"

  /// Checks that positions exist and that every method has one value a layer.
  ///
  /// - Throws: ``ResultsError`` that names the first field that is out of range.
  public func checkRanges() throws {
    try RangeCheck.count(promptTokens, of: tokens, "prompt_tokens")
    for (index, layer) in layers.enumerated() {
      try RangeCheck.layer(layer, "layers[\(index)]")
    }
    for (index, explanation) in explanations.enumerated() {
      let path = "explanations[\(index)]"
      try RangeCheck.position(explanation.position, of: tokens, path + ".position")
      for (method, compared) in explanation.methods.enumerated() {
        try RangeCheck.counts(
          compared.values.count, path + ".methods[\(method)].values", as: layers.count,
          of: "layers")
      }
    }
  }
}

/// One prediction by several methods, layer by layer.
public struct Comparison: Codable, Sendable, Equatable {
  /// The position that predicts.
  public var position: Int
  /// What it predicts.
  public var target: TargetDescription
  /// The target's value in the ordinary forward pass.
  public var modelValue: Double
  /// One per method.
  public var methods: [ComparedMethod]
  /// Every pair's agreement on the order of layers.
  public var correlations: [RankCorrelation]

  /// Gathers the values.
  public init(
    position: Int, target: TargetDescription, modelValue: Double, methods: [ComparedMethod],
    correlations: [RankCorrelation]
  ) {
    self.position = position
    self.target = target
    self.modelValue = modelValue
    self.methods = methods
    self.correlations = correlations
  }

  enum CodingKeys: String, CodingKey {
    case position, target
    case modelValue = "model_value"
    case methods, correlations
  }
}

/// One method's numbers.
public struct ComparedMethod: Codable, Sendable, Equatable {
  /// `ig-lens`, `straight`, `dla`, `logit-lens`.
  public var name: String
  /// `prob` or another target's name: what the values add up in.
  public var unit: String
  /// What the values start from.
  public var start: Double
  /// One per layer.
  public var values: [Double]
  /// start + Σ values − what they should come to.
  public var certificate: Double

  /// Gathers the values.
  public init(
    name: String, unit: String, start: Double, values: [Double], certificate: Double
  ) {
    self.name = name
    self.unit = unit
    self.start = start
    self.values = values
    self.certificate = certificate
  }
}
