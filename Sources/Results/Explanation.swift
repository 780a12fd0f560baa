/// What `telescope explain` found: the JSON schema `telescope/explain/1` as Swift values.
///
/// Plain numbers only; positions and layers count from 0, layer −1 is the embedding.
public struct ExplainResult: Codable, Sendable, Equatable {
  /// Always `telescope/explain/1`; a reader refuses another major version.
  public var schema: String
  /// The version of Telescope that wrote this.
  public var toolVersion: String
  /// The model that was explained.
  public var model: ModelDescription
  /// Where the model ran: `cpu`, `cuda`, `mps`.
  public var device: String
  /// What the file of many prompts calls this one.
  public var id: String?
  /// The prompt as the person gave it.
  public var prompt: String
  /// How many of `tokens`, from the start, belong to the prompt.
  public var promptTokens: Int
  /// Prompt and continuation.
  public var tokens: [TokenDescription]
  /// How the numbers were made.
  public var method: MethodDescription
  /// The text behind a `final-of` baseline.
  public var baselineText: String?
  /// The seed of anything random; `null` where nothing is.
  public var seed: Int?
  /// The other prompt of `--contrast`, explained for the same targets.
  public var contrast: ContrastDescription?
  /// One entry per explained token, then the span if there is one.
  public var explanations: [Explanation]
  /// What a reader should know: a sink that dominates the mean, a baseline equal to the state.
  public var warnings: [String]
  /// Wall time by stage, in milliseconds; absent with `--reproducible`.
  public var timingsMs: [String: Double]?

  /// The schema name that this version writes.
  public static let schemaName = "telescope/explain/1"

  /// Gathers a result.
  public init(
    schema: String = ExplainResult.schemaName, toolVersion: String, model: ModelDescription,
    device: String, id: String? = nil, prompt: String, promptTokens: Int,
    tokens: [TokenDescription], method: MethodDescription, baselineText: String? = nil,
    seed: Int? = nil, contrast: ContrastDescription? = nil, explanations: [Explanation],
    warnings: [String] = [], timingsMs: [String: Double]? = nil
  ) {
    self.schema = schema
    self.toolVersion = toolVersion
    self.model = model
    self.device = device
    self.id = id
    self.prompt = prompt
    self.promptTokens = promptTokens
    self.tokens = tokens
    self.method = method
    self.baselineText = baselineText
    self.seed = seed
    self.contrast = contrast
    self.explanations = explanations
    self.warnings = warnings
    self.timingsMs = timingsMs
  }

  enum CodingKeys: String, CodingKey {
    case schema
    case toolVersion = "tool_version"
    case model, device, id, prompt
    case promptTokens = "prompt_tokens"
    case tokens, method
    case baselineText = "baseline_text"
    case seed, contrast, explanations, warnings
    case timingsMs = "timings_ms"
  }
}

/// Which model, and in what precision.
public struct ModelDescription: Codable, Sendable, Equatable {
  /// The file or folder name.
  public var name: String
  /// SHA-256 of the file, in hex; of a sharded model, of its shards' hashes.
  public var sha256: String
  /// The family, as the checkpoint names it.
  public var architecture: String
  /// The number of blocks.
  public var layers: Int
  /// The element type of the computation: `float32`, `float64`, `bfloat16`.
  public var dtype: String
  /// False where every position sees the whole text; absent in models that continue a text.
  public var causal: Bool?

  /// Describes a model.
  public init(
    name: String, sha256: String, architecture: String, layers: Int, dtype: String,
    causal: Bool? = nil
  ) {
    self.name = name
    self.sha256 = sha256
    self.architecture = architecture
    self.layers = layers
    self.dtype = dtype
    self.causal = causal
  }
}

/// A token: its id, its text, and its bytes where the text cannot show them.
public struct TokenDescription: Codable, Sendable, Equatable {
  /// The id in the model's vocabulary.
  public var id: Int
  /// The text; U+FFFD where the bytes are not UTF-8.
  public var text: String
  /// The bytes in hex, present only where they are not UTF-8.
  public var bytes: String?

  /// Describes a token.
  public init(id: Int, text: String, bytes: String? = nil) {
    self.id = id
    self.text = text
    self.bytes = bytes
  }
}

/// How an explanation was made.
public struct MethodDescription: Codable, Sendable, Equatable {
  /// `chain`, `straight`, `shapley`, `completion`, or `iglens` for the published script's states.
  public var path: String
  /// `mean`, `mean-all`, `mean-nosink`, `zero`, `embedding`, `final-of`.
  public var baseline: String
  /// `prob`, `logprob`, `logit`, `prob-diff`, `logit-diff`, `entropy`, `kl`.
  public var target: String
  /// `observed`, `gradient`, `gauss`.
  public var estimator: String
  /// Nodes per segment, where the estimator has any.
  public var nodes: Int?
  /// The tolerance of an adaptive `gauss`.
  public var tolerance: Double?
  /// The chosen layers, ascending; the last block is always among them.
  public var layers: [Int]
  /// The share of Σ|A| that defines the onset layer.
  public var onsetFraction: Double
  /// How far down values are split: `layer`, `block`, `head`, `token`.
  public var depth: String?
  /// How many neurons of each layer are listed; −1 for all.
  public var neurons: Int?
  /// How many orders of layers were asked for, where they were sampled.
  public var orders: Int?
  /// The file of a mean completion.
  public var completion: String?
  /// The file of a tuned lens whose translated states are read.
  public var lens: String?

  /// Describes a method.
  public init(
    path: String, baseline: String, target: String, estimator: String, nodes: Int? = nil,
    tolerance: Double? = nil, layers: [Int], onsetFraction: Double, depth: String? = nil,
    neurons: Int? = nil,
    orders: Int? = nil, completion: String? = nil, lens: String? = nil
  ) {
    self.path = path
    self.baseline = baseline
    self.target = target
    self.estimator = estimator
    self.nodes = nodes
    self.tolerance = tolerance
    self.layers = layers
    self.onsetFraction = onsetFraction
    self.depth = depth
    self.neurons = neurons
    self.orders = orders
    self.completion = completion
    self.lens = lens
  }

  enum CodingKeys: String, CodingKey {
    case path, baseline, target, estimator, nodes, tolerance, layers
    case onsetFraction = "onset_fraction"
    case depth, neurons, orders, completion, lens
  }
}

/// What is explained: one token, a token against another, or a span of tokens.
public struct TargetDescription: Codable, Sendable, Equatable {
  /// The id of the token; of a span, of its first token.
  public var id: Int
  /// The text of the token; of a span, of all of it.
  public var text: String
  /// The bytes in hex, present only where they are not UTF-8.
  public var bytes: String?
  /// The token subtracted, for `prob-diff` and `logit-diff`.
  public var versus: TokenDescription?
  /// The tokens of a span, whose log-probabilities are summed.
  public var span: [TokenDescription]?

  /// Describes a target.
  public init(
    id: Int, text: String, bytes: String? = nil, versus: TokenDescription? = nil,
    span: [TokenDescription]? = nil
  ) {
    self.id = id
    self.text = text
    self.bytes = bytes
    self.versus = versus
    self.span = span
  }
}

/// One prediction, split over layers: baselineValue + Σ attributions = modelValue, to `certificate`.
public struct Explanation: Codable, Sendable, Equatable {
  /// The position that predicts, counted from 0.
  public var position: Int
  /// What it predicts.
  public var target: TargetDescription
  /// The target's value in the model's ordinary forward pass.
  public var modelValue: Double
  /// The target's value at the baseline.
  public var baselineValue: Double
  /// One entry per chosen layer, ascending.
  public var attributions: [LayerAttribution]
  /// Σ of the attributions.
  public var sum: Double
  /// baselineValue + sum − modelValue, signed.
  public var certificate: Double
  /// The earliest chosen layer at which cumulative |A| reaches the onset share of Σ|A|.
  public var onsetLayer: Int?
  /// The same prediction along other paths or from other baselines.
  public var alternatives: [Alternative]?
  /// How far those agree on the order of layers.
  public var rankCorrelations: [RankCorrelation]?
  /// The parts, each replaced in the model.
  public var checks: [CausalCheck]?

  /// Gathers an explanation.
  public init(
    position: Int, target: TargetDescription, modelValue: Double, baselineValue: Double,
    attributions: [LayerAttribution], sum: Double, certificate: Double, onsetLayer: Int?,
    alternatives: [Alternative]? = nil,
    rankCorrelations: [RankCorrelation]? = nil, checks: [CausalCheck]? = nil
  ) {
    self.position = position
    self.target = target
    self.modelValue = modelValue
    self.baselineValue = baselineValue
    self.attributions = attributions
    self.sum = sum
    self.certificate = certificate
    self.onsetLayer = onsetLayer
    self.alternatives = alternatives
    self.rankCorrelations = rankCorrelations
    self.checks = checks
  }

  enum CodingKeys: String, CodingKey {
    case position, target
    case modelValue = "model_value"
    case baselineValue = "baseline_value"
    case attributions, sum, certificate
    case onsetLayer = "onset_layer"
    case alternatives
    case rankCorrelations = "rank_correlations"
    case checks
  }
}

/// What one layer adds, and what the lens reads there.
public struct LayerAttribution: Codable, Sendable, Equatable {
  /// The block, counted from 0; −1 is the embedding.
  public var layer: Int
  /// What this layer adds to the target beyond the chosen layer before it.
  public var value: Double
  /// The target read from the state after this layer.
  public var lens: Double
  /// The target token's rank there, from 1; ties share the best; absent for a span.
  public var rank: Int?
  /// The entropy there, in nats; absent for a span.
  public var entropy: Double?
  /// The most probable tokens there; absent for a span.
  public var top: [TopToken]?
  /// Nodes spent on the certified integral of this layer.
  public var nodes: Int?
  /// False where the integral did not meet its tolerance.
  public var converged: Bool?
  /// The standard error of the value, where orders were sampled; absent for a span.
  public var standardError: Double?
  /// The lens at the same layer of the contrast prompt.
  public var contrastLens: Double?
  /// lens − contrastLens.
  public var contrastDifference: Double?
  /// What this layer adds to the difference.
  public var contrastIncrement: Double?
  /// What this layer's value is made of, with `--depth` or `--neurons`.
  public var parts: [AttributionNode]?
  /// value − Σ parts.
  public var residual: Double?
  /// The least value over the paths and baselines computed.
  public var low: Double?
  /// The largest.
  public var high: Double?

  /// Gathers one layer's numbers.
  public init(
    layer: Int, value: Double, lens: Double, rank: Int? = nil, entropy: Double? = nil,
    top: [TopToken]? = nil, nodes: Int? = nil, converged: Bool? = nil,
    standardError: Double? = nil, contrastLens: Double? = nil, contrastDifference: Double? = nil,
    contrastIncrement: Double? = nil,
    parts: [AttributionNode]? = nil, residual: Double? = nil, low: Double? = nil,
    high: Double? = nil
  ) {
    self.layer = layer
    self.value = value
    self.lens = lens
    self.rank = rank
    self.entropy = entropy
    self.top = top
    self.nodes = nodes
    self.converged = converged
    self.standardError = standardError
    self.contrastLens = contrastLens
    self.contrastDifference = contrastDifference
    self.contrastIncrement = contrastIncrement
    self.parts = parts
    self.residual = residual
    self.low = low
    self.high = high
  }

  enum CodingKeys: String, CodingKey {
    case layer, value, lens, rank, entropy, top, nodes, converged, parts, residual, low, high
    case standardError = "standard_error"
    case contrastLens = "contrast_lens"
    case contrastDifference = "contrast_difference"
    case contrastIncrement = "contrast_increment"
  }
}

/// A token with its probability.
public struct TopToken: Codable, Sendable, Equatable {
  /// The id.
  public var id: Int
  /// The text.
  public var text: String
  /// Its softmax probability.
  public var probability: Double

  /// Pairs a token with its probability.
  public init(id: Int, text: String, probability: Double) {
    self.id = id
    self.text = text
    self.probability = probability
  }
}

/// The other prompt of a contrast.
public struct ContrastDescription: Codable, Sendable, Equatable {
  /// The text of the other prompt.
  public var prompt: String
  /// How many of `tokens` belong to it.
  public var promptTokens: Int
  /// Its tokens, then the same continuation.
  public var tokens: [TokenDescription]

  /// Describes the other prompt.
  public init(prompt: String, promptTokens: Int, tokens: [TokenDescription]) {
    self.prompt = prompt
    self.promptTokens = promptTokens
    self.tokens = tokens
  }

  enum CodingKeys: String, CodingKey {
    case prompt
    case promptTokens = "prompt_tokens"
    case tokens
  }
}
