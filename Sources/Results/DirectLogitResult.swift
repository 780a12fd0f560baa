/// What `telescope dla` found: the JSON schema `telescope/dla/1`.
public struct DirectLogitResult: Codable, Sendable, Equatable {
  /// Always `telescope/dla/1`.
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
  /// How the final norm is treated: `frozen`, at the scale that the run had.
  public var finalNorm: String
  /// Whether logits are measured from their mean over the vocabulary.
  public var centred: Bool
  /// One per explained token.
  public var explanations: [DirectLogitExplanation]
  /// What a reader should know.
  public var warnings: [String]
  /// Wall time by stage, in milliseconds; absent with `--reproducible`.
  public var timingsMs: [String: Double]?

  /// The schema name that this version writes.
  public static let schemaName = "telescope/dla/1"

  /// Gathers the values.
  public init(
    schema: String = DirectLogitResult.schemaName, toolVersion: String, model: ModelDescription,
    device: String, prompt: String, promptTokens: Int, tokens: [TokenDescription],
    finalNorm: String = "frozen", centred: Bool, explanations: [DirectLogitExplanation],
    warnings: [String] = [], timingsMs: [String: Double]? = nil
  ) {
    self.schema = schema
    self.toolVersion = toolVersion
    self.model = model
    self.device = device
    self.prompt = prompt
    self.promptTokens = promptTokens
    self.tokens = tokens
    self.finalNorm = finalNorm
    self.centred = centred
    self.explanations = explanations
    self.warnings = warnings
    self.timingsMs = timingsMs
  }

  enum CodingKeys: String, CodingKey {
    case schema
    case toolVersion = "tool_version"
    case model, device, prompt
    case promptTokens = "prompt_tokens"
    case tokens
    case finalNorm = "final_norm"
    case centred, explanations, warnings
    case timingsMs = "timings_ms"
  }
}

extension DirectLogitResult: SchemaDocument {
  /// The command that writes it.
  public static let writer = "telescope dla --json"

  /// Checks that positions exist and that every part names a layer.
  ///
  /// - Throws: ``ResultsError`` that names the first field that is out of range.
  public func checkRanges() throws {
    func check(_ nodes: [AttributionNode], _ path: String) throws {
      for (index, node) in nodes.enumerated() {
        let path = path + "[\(index)]"
        try RangeCheck.layer(node.layer, path + ".layer")
        if let children = node.children { try check(children, path + ".children") }
      }
    }
    try RangeCheck.count(promptTokens, of: tokens, "prompt_tokens")
    for (index, explanation) in explanations.enumerated() {
      let path = "explanations[\(index)]"
      try RangeCheck.position(explanation.position, of: tokens, path + ".position")
      try check(explanation.parts, path + ".parts")
    }
  }
}

/// One logit, or difference of two, split over everything that wrote to the residual stream.
public struct DirectLogitExplanation: Codable, Sendable, Equatable {
  /// The position that predicts.
  public var position: Int
  /// The token, and the one subtracted if there is one.
  public var target: TargetDescription
  /// The value in the model's ordinary forward pass, before any soft-cap.
  public var modelLogit: Double
  /// Embedding, each block's attention and mlp, and the biases of final norm and head.
  public var parts: [AttributionNode]
  /// Σ of the parts.
  public var sum: Double
  /// sum − modelLogit.
  public var certificate: Double

  /// Gathers the values.
  public init(
    position: Int, target: TargetDescription, modelLogit: Double, parts: [AttributionNode],
    sum: Double, certificate: Double
  ) {
    self.position = position
    self.target = target
    self.modelLogit = modelLogit
    self.parts = parts
    self.sum = sum
    self.certificate = certificate
  }

  enum CodingKeys: String, CodingKey {
    case position, target
    case modelLogit = "model_logit"
    case parts, sum, certificate
  }
}
