/// The published package's JSON layout, as ``FlowReport/lig(for:)`` writes it.
struct LIGDocument: Encodable {
  var text: String
  var tokens: [String]
  var model: String
  var modelType: String
  var architecture: String?
  var config: Config
  var boundaries: Boundaries
  var layers: [String: Layer]

  enum CodingKeys: String, CodingKey {
    case text, tokens, model
    case modelType = "model_type"
    case architecture, config, boundaries, layers
  }

  struct Config: Encodable {
    var numSteps: Int
    var granularity: [String]
    var baselineAtt: String?
    var baselineMLP: String?
    var baselineLayer: String?
    var layers: [Int]
    var targetTokens: [Int]
    var targetHead: Int?

    enum CodingKeys: String, CodingKey {
      case numSteps = "num_steps"
      case granularity
      case baselineAtt = "baseline_att"
      case baselineMLP = "baseline_mlp"
      case baselineLayer = "baseline_layer"
      case layers
      case targetTokens = "target_tokens"
      case targetHead = "target_head"
      case residual = "include_residual_connection"
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(numSteps, forKey: .numSteps)
      try container.encode(granularity, forKey: .granularity)
      try container.encodeIfPresent(baselineAtt, forKey: .baselineAtt)
      try container.encodeIfPresent(baselineMLP, forKey: .baselineMLP)
      try container.encodeIfPresent(baselineLayer, forKey: .baselineLayer)
      try container.encode(layers, forKey: .layers)
      try container.encode(targetTokens, forKey: .targetTokens)
      // Null is the layout's word for all heads.
      try container.encode(targetHead, forKey: .targetHead)
      try container.encode(true, forKey: .residual)
    }
  }

  struct Boundaries: Encodable {
    var z: String
    var u: String
    var zNext: String
    var architecture: String
    var model: String
    var modelType: String
    var numLayers: Int
    var supportedGranularity: [String]

    enum CodingKeys: String, CodingKey {
      case z, u
      case zNext = "z_next"
      case architecture, model
      case modelType = "model_type"
      case numLayers = "num_layers"
      case supportedGranularity = "supported_granularity"
    }
  }

  struct Layer: Encodable {
    var index: Int
    var tokenMap: TokenMap?
    var targets: [String: TargetEntry]?

    enum CodingKeys: String, CodingKey {
      case index = "layer_idx"
      case tokenMap = "z2z"
      case targets
    }
  }

  struct TokenMap: Encodable {
    var baseline: String
    var description: String
    var shape: [Int]
    var matrix: [[Double]]
    var tokenToToken: [Received]

    enum CodingKeys: String, CodingKey {
      case baseline, description, shape, matrix
      case tokenToToken = "token_to_token"
    }
  }

  struct Received: Encodable {
    var target: Int
    var token: String
    var contributions: [Sent]

    enum CodingKeys: String, CodingKey {
      case target = "target_token_idx"
      case token = "target_token"
      case contributions
    }
  }

  struct Sent: Encodable {
    var source: Int
    var token: String
    var value: Double

    enum CodingKeys: String, CodingKey {
      case source = "source_token_idx"
      case token = "source_token"
      case value
    }
  }

  struct TargetEntry: Encodable {
    var target: Int
    var token: String
    var attention: Attention?
    var feedForward: FeedForward?

    enum CodingKeys: String, CodingKey {
      case target = "target_token_idx"
      case token = "target_token"
      case attention = "z2u"
      case feedForward = "u2z"
    }
  }

  struct Attention: Encodable {
    var baseline: String
    var description: String
    var heads: [String: Head]
  }

  struct Head: Encodable {
    var contributions: [Double]
    var norm: Double

    enum CodingKeys: String, CodingKey {
      case contributions
      case norm = "token_l2_norm"
    }
  }

  struct FeedForward: Encodable {
    var baseline: String
    var description: String
    var contributions: [Double]?
    var total: Double?
    var completeness: Completeness

    enum CodingKeys: String, CodingKey {
      case baseline, description, contributions
      case total = "l2_total"
      case completeness
    }
  }

  struct Completeness: Encodable {
    var error: Double?
    var mean: Double
    var largest: Double?

    enum CodingKeys: String, CodingKey {
      case error
      case mean = "mean_abs_error"
      case largest = "max_abs_error"
    }
  }
}
