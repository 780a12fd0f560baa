/// What `telescope flow` found: the JSON schema `telescope/flow/1`.
public struct FlowResult: Codable, Sendable, Equatable {
  /// Always `telescope/flow/1`.
  public var schema: String
  /// The version of Telescope that wrote this.
  public var toolVersion: String
  /// The id of a text of many, where the input gave one.
  public var id: String?
  /// The model.
  public var model: ModelDescription
  /// Where the model ran.
  public var device: String
  /// The text as the person gave it.
  public var text: String
  /// Its tokens, those around the text among them.
  public var tokens: [TokenDescription]
  /// How the flows were made.
  public var parameters: FlowParameters
  /// The layers that were asked for, ascending.
  public var layers: [FlowLayer]
  /// How far the routes of `--compare` agree: each layer by itself, then all together (no layer).
  public var agreement: [FlowAgreement]?
  /// The safetensors file beside this one that holds the arrays with a `tensor`; nil where all stand here.
  public var arrays: String?
  /// What a reader should know.
  public var warnings: [String]
  /// Wall time by stage, in milliseconds; absent with `--reproducible`.
  public var timingsMs: [String: Double]?

  /// The schema name that this version writes.
  public static let schemaName = "telescope/flow/1"

  /// Gathers the values.
  public init(
    schema: String = FlowResult.schemaName, toolVersion: String, id: String? = nil,
    model: ModelDescription, device: String, text: String, tokens: [TokenDescription],
    parameters: FlowParameters, layers: [FlowLayer], agreement: [FlowAgreement]? = nil,
    arrays: String? = nil, warnings: [String] = [], timingsMs: [String: Double]? = nil
  ) {
    self.schema = schema
    self.toolVersion = toolVersion
    self.id = id
    self.model = model
    self.device = device
    self.text = text
    self.tokens = tokens
    self.parameters = parameters
    self.layers = layers
    self.agreement = agreement
    self.arrays = arrays
    self.warnings = warnings
    self.timingsMs = timingsMs
  }

  enum CodingKeys: String, CodingKey {
    case schema
    case toolVersion = "tool_version"
    case id, model, device, text, tokens, parameters, layers, agreement, arrays, warnings
    case timingsMs = "timings_ms"
  }
}

/// How flows were made.
public struct FlowParameters: Codable, Sendable, Equatable {
  /// `attention`, `feed-forward`, `layer`.
  public var granularity: [String]
  /// Where paths start.
  public var baseline: FlowBaselineNames
  /// `strict`: u is the heads' mixes joined; `published`: u of the feed-forward map is the stream between.
  public var boundary: String
  /// `length`: of the output's change; `projection`: on the direction of its whole change.
  public var scalarisation: String
  /// `gauss-legendre` or `captum-trapezoid`.
  public var quadrature: String
  /// The tolerance that nodes are doubled for; nil with a fixed number.
  public var tolerance: Double?
  /// The fixed number of nodes; nil where they are doubled.
  public var steps: Int?
  /// The positions that receive: what the `target` axes count.
  public var targets: [Int]
  /// The heads that are shown: what the `head` axes count.
  public var heads: [Int]

  /// Gathers the values.
  public init(
    granularity: [String], baseline: FlowBaselineNames, boundary: String, scalarisation: String,
    quadrature: String, tolerance: Double?, steps: Int?, targets: [Int], heads: [Int]
  ) {
    self.granularity = granularity
    self.baseline = baseline
    self.boundary = boundary
    self.scalarisation = scalarisation
    self.quadrature = quadrature
    self.tolerance = tolerance
    self.steps = steps
    self.targets = targets
    self.heads = heads
  }
}

/// Where the paths of each map start; nil for a map that was not asked for.
public struct FlowBaselineNames: Codable, Sendable, Equatable {
  /// Of z → u: `zero`, `itb`, `itb-zero-ratio`, `itb-map-ratio`.
  public var attention: String?
  /// Of u → z′: `zero`, `att-itb`.
  public var feedForward: String?
  /// Of z → z′: `zero`, `itb`, `itb-zero-ratio`.
  public var layer: String?

  /// Gathers the names.
  public init(attention: String?, feedForward: String?, layer: String?) {
    self.attention = attention
    self.feedForward = feedForward
    self.layer = layer
  }

  enum CodingKeys: String, CodingKey {
    case attention
    case feedForward = "feed_forward"
    case layer
  }
}

/// One layer's flows.
public struct FlowLayer: Codable, Sendable, Equatable {
  /// The block, from 0.
  public var layer: Int
  /// Where its paths started.
  public var baseline: FlowBaselineNames
  /// Z of z → z′: axes `source`, `target`.
  public var layerFlow: FlowMap?
  /// A of z → u: axes `source`, `target`, `head`.
  public var attentionFlow: FlowMap?
  /// M of u → z′: axes `target`, `head`.
  public var feedForwardFlow: FlowMap?
  /// What M sums, one for each number of u, where it was asked for: axes `target`, `coordinate`.
  public var feedForwardCoordinates: AxisArray?
  /// What passes through each head on the layer's own path.
  public var heads: FlowHeads?
  /// Compositions by `product`, `conserving` or `exact`: axes `source`, `target`.
  public var composed: [String: AxisArray]?

  /// Gathers the values.
  public init(
    layer: Int, baseline: FlowBaselineNames, layerFlow: FlowMap? = nil,
    attentionFlow: FlowMap? = nil, feedForwardFlow: FlowMap? = nil,
    feedForwardCoordinates: AxisArray? = nil, heads: FlowHeads? = nil,
    composed: [String: AxisArray]? = nil
  ) {
    self.layer = layer
    self.baseline = baseline
    self.layerFlow = layerFlow
    self.attentionFlow = attentionFlow
    self.feedForwardFlow = feedForwardFlow
    self.feedForwardCoordinates = feedForwardCoordinates
    self.heads = heads
    self.composed = composed
  }

  enum CodingKeys: String, CodingKey {
    case layer, baseline
    case layerFlow = "layer_flow"
    case attentionFlow = "attention_flow"
    case feedForwardFlow = "feed_forward_flow"
    case feedForwardCoordinates = "feed_forward_coordinates"
    case heads, composed
  }
}

/// Attributions of one map with what they should sum to.
///
/// In JSON the array's fields stand beside the others: `axes`, `values`, `totals`, `completeness_error`.
public struct FlowMap: Codable, Sendable, Equatable {
  /// The attributions.
  public var array: AxisArray
  /// ‖F(x) − F(b)‖ of each target, and head where the map has one of each: all axes but the source.
  ///
  /// Of the feed-forward map one per target: heads are what it is the sum of.
  public var totals: AxisArray
  /// |Σ sources − total| / total, where the total is not 0; shaped as `totals`.
  public var completenessError: AxisArray
  /// Nodes of the integral, one per target.
  public var nodes: [Int]
  /// Targets whose error is above the tolerance; positions.
  public var unconverged: [Int]
  /// The share that a ratio baseline gives to the target itself, shaped as `totals`.
  public var selfShare: AxisArray?

  /// Gathers the values.
  public init(
    array: AxisArray, totals: AxisArray, completenessError: AxisArray, nodes: [Int],
    unconverged: [Int], selfShare: AxisArray? = nil
  ) {
    self.array = array
    self.totals = totals
    self.completenessError = completenessError
    self.nodes = nodes
    self.unconverged = unconverged
    self.selfShare = selfShare
  }

  enum CodingKeys: String, CodingKey {
    case totals
    case completenessError = "completeness_error"
    case nodes, unconverged
    case selfShare = "self_share"
  }

  /// Writes the array's fields beside the others.
  public func encode(to encoder: any Encoder) throws {
    try array.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(totals.nested, forKey: .totals)
    try container.encode(completenessError.nested, forKey: .completenessError)
    try container.encode(nodes, forKey: .nodes)
    try container.encode(unconverged, forKey: .unconverged)
    try container.encodeIfPresent(selfShare?.nested, forKey: .selfShare)
  }

  /// Reads what `encode` writes.
  ///
  /// - Throws: `DecodingError` where a field is missing or lists are ragged.
  public init(from decoder: any Decoder) throws {
    array = try AxisArray(from: decoder)
    let container = try decoder.container(keyedBy: CodingKeys.self)
    nodes = try container.decode([Int].self, forKey: .nodes)
    unconverged = try container.decode([Int].self, forKey: .unconverged)
    // The feed-forward map has no sources: its totals are one per target.
    let axes =
      array.axes.contains("source") ? array.axes.filter { $0 != "source" } : ["target"]
    func read(_ key: CodingKeys) throws -> AxisArray {
      try AxisArray(axes: axes, nestedIn: container.present(key))
    }
    totals = try read(.totals)
    completenessError = try read(.completenessError)
    selfShare = container.contains(.selfShare) ? try read(.selfShare) : nil
  }
}

/// What passes through each head on the layer's own path, K, and past all of them, R:
/// Z[i, j] = Σ_h K[i, j, h] + δ_ij R[j].
public struct FlowHeads: Codable, Sendable, Equatable {
  /// K: axes `source`, `target`, `head`.
  public var conductance: AxisArray
  /// R: axis `target`.
  public var residual: AxisArray

  /// Pairs them.
  public init(conductance: AxisArray, residual: AxisArray) {
    self.conductance = conductance
    self.residual = residual
  }
}
