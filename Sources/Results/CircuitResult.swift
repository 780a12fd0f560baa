public import Foundation

/// What `telescope circuit` found: the JSON schema `telescope/circuit/1`.
///
/// `circuit trace` fills nodes, `circuit edges` edges too, `circuit evaluate` curves.
public struct CircuitResult: SchemaDocument, Equatable {
  /// Always `telescope/circuit/1`.
  public var schema: String
  /// The version of Telescope that wrote this.
  public var toolVersion: String
  /// The model.
  public var model: ModelDescription
  /// Where the model ran.
  public var device: String
  /// The task, where prompts come from one.
  public var task: CircuitTask?
  /// The text as given; the first prompt of a task.
  public var text: String
  /// Its tokens; positions of nodes count them.
  public var tokens: [TokenDescription]
  /// The number that the circuit carries; of a task, the mean over its prompts.
  public var metric: MetricDescription
  /// How nodes were scored.
  public var method: AttributionMethod
  /// `neuron`, `head`, `attention`, `mlp`, `residual`, or `branch` (0 attention, 1 mlp).
  public var unit: String
  /// How many units there are to choose from: layers × positions × units.
  public var unitCount: Int
  /// The nodes kept, largest magnitude first.
  public var nodes: [CircuitNode]
  /// Edges between them; nil where none were computed.
  public var edges: [CircuitEdge]?
  /// Of the node whose sources miss its value most, what neurons, tokens and biases give it, and the value; nil
  /// without edges.
  public var certificate: SumCertificate?
  /// Tokens whose logits the nodes' `logits` count.
  public var logitTokens: [TokenDescription]?
  /// Faithfulness and completeness of growing circuits, one for each method.
  public var curves: [CircuitCurve]?
  /// How many runs it took.
  public var passes: PassCount
  /// What a reader should know.
  public var warnings: [String]
  /// Wall time by stage, in milliseconds; absent with `--reproducible`.
  public var timingsMs: [String: Double]?

  /// The schema name that this version writes.
  public static let schemaName = "telescope/circuit/1"
  /// The command that writes it.
  public static let writer = "telescope circuit --json"

  /// Gathers the values.
  public init(
    schema: String = CircuitResult.schemaName, toolVersion: String, model: ModelDescription,
    device: String, task: CircuitTask? = nil, text: String, tokens: [TokenDescription],
    metric: MetricDescription, method: AttributionMethod, unit: String, unitCount: Int,
    nodes: [CircuitNode], edges: [CircuitEdge]? = nil, certificate: SumCertificate? = nil,
    logitTokens: [TokenDescription]? = nil,
    curves: [CircuitCurve]? = nil, passes: PassCount, warnings: [String] = [],
    timingsMs: [String: Double]? = nil
  ) {
    self.schema = schema
    self.toolVersion = toolVersion
    self.model = model
    self.device = device
    self.task = task
    self.text = text
    self.tokens = tokens
    self.metric = metric
    self.method = method
    self.unit = unit
    self.unitCount = unitCount
    self.nodes = nodes
    self.edges = edges
    self.certificate = certificate
    self.logitTokens = logitTokens
    self.curves = curves
    self.passes = passes
    self.warnings = warnings
    self.timingsMs = timingsMs
  }

  enum CodingKeys: String, CodingKey {
    case schema
    case toolVersion = "tool_version"
    case model, device, task, text, tokens, metric, method, unit
    case unitCount = "unit_count"
    case nodes, edges, certificate
    case logitTokens = "logit_tokens"
    case curves, passes, warnings
    case timingsMs = "timings_ms"
  }

  /// The result as JSON: keys sorted, numbers in the shortest form that reads back exactly.
  ///
  /// The same result always gives the same bytes. The text ends in a line break.
  ///
  /// - Parameters:
  ///   - reproducible: Drops the timings, the one part that differs from run to run.
  ///   - indented: One field a line, and one node, edge or point of a curve a line, for people;
  ///     without it, all of it is one line.
  /// - Returns: UTF-8 text.
  /// - Throws: ``ResultsError`` that names the first number that is NaN or infinite.
  public func encoded(reproducible: Bool = false, indented: Bool = true) throws -> Data {
    let line = try encoded(reproducible, [])
    return indented ? JSONLayout.indented(line, lines: ["nodes", "edges", "points"]) : line
  }

  /// Checks that layers and positions exist, that edges have two ends, and that circuits of a curve
  /// grow.
  ///
  /// - Throws: ``ResultsError`` that names the first field that is out of range.
  public func checkRanges() throws {
    try metric.check(tokens, "metric")
    try method.check("method")
    try passes.check("passes")
    try RangeCheck.natural(unitCount, "unit_count")
    if let task {
      try RangeCheck.natural(task.trainPrompts, "task.train_prompts")
      try RangeCheck.natural(task.testPrompts, "task.test_prompts")
    }
    for (index, node) in nodes.enumerated() { try check(node, "nodes[\(index)]") }
    for (index, edge) in (edges ?? []).enumerated() { try check(edge, "edges[\(index)]") }
    for (index, curve) in (curves ?? []).enumerated() { try curve.check("curves[\(index)]") }
  }

  private func check(_ node: CircuitNode, _ path: String) throws {
    try RangeCheck.layer(node.layer, of: model, path + ".layer")
    try RangeCheck.natural(node.unit, path + ".unit")
    if let position = node.position {
      try RangeCheck.position(position, of: tokens, path + ".position")
    }
    if let shares = node.tokens {
      try RangeCheck.counts(shares.count, path + ".tokens", as: tokens.count, of: "tokens")
    }
    if let logits = node.logits {
      try RangeCheck.counts(
        logits.count, path + ".logits", as: (logitTokens ?? []).count, of: "logit_tokens")
    }
  }

  /// An edge runs from a token or a node to a node or the metric, and never down.
  private func check(_ edge: CircuitEdge, _ path: String) throws {
    for (end, name) in [(edge.source, path + ".source"), (edge.target, path + ".target")] {
      switch end {
      case .node(let node):
        guard nodes.indices.contains(node) else {
          throw ResultsError.outOfRange(name, node, "a place in 'nodes'")
        }
      case .token(let position): try RangeCheck.position(position, of: tokens, name)
      case .metric: break
      }
    }
    if edge.source == .metric { throw ResultsError.unknown(path + ".source", "metric") }
    if case .token(let position) = edge.target {
      throw ResultsError.unknown(path + ".target", "token \(position)")
    }
    guard case .node(let source) = edge.source, case .node(let target) = edge.target else { return }
    // Of one layer's branches the feed-forward network reads what attention added.
    let follows =
      nodes[source].layer < nodes[target].layer
      || unit == "branch" && nodes[source].layer == nodes[target].layer
        && nodes[source].unit < nodes[target].unit
    guard follows else {
      throw ResultsError.outOfRange(path + ".target", target, "a node of a later layer")
    }
  }
}

/// Prompts made by a template.
public struct CircuitTask: Codable, Sendable, Equatable {
  /// `sva-simple`, `ioi`; the file's name for prompts from a file.
  public var name: String
  /// Prompts that scores are means over.
  public var trainPrompts: Int
  /// Prompts that circuits are evaluated on; 0 without evaluation.
  public var testPrompts: Int
  /// What draws them.
  public var seed: Int

  /// Gathers the values.
  public init(name: String, trainPrompts: Int, testPrompts: Int, seed: Int) {
    self.name = name
    self.trainPrompts = trainPrompts
    self.testPrompts = testPrompts
    self.seed = seed
  }

  enum CodingKeys: String, CodingKey {
    case name
    case trainPrompts = "train_prompts"
    case testPrompts = "test_prompts"
    case seed
  }
}

/// A unit at a token.
public struct CircuitNode: Codable, Sendable, Equatable {
  /// The block.
  public var layer: Int
  /// The token; nil where positions are summed.
  public var position: Int?
  /// The neuron, head or coordinate.
  public var unit: Int
  /// Its score; positive supports the metric.
  public var score: Double
  /// Its value in the run.
  public var value: Double?
  /// What each token's embedding gives to its value, directly, as shares of it; nil without edges.
  public var tokens: [Double]?
  /// What it gives to each logit of `logit_tokens`; nil without edges.
  public var logits: [Double]?

  /// Gathers the values.
  public init(
    layer: Int, position: Int?, unit: Int, score: Double, value: Double? = nil,
    tokens: [Double]? = nil, logits: [Double]? = nil
  ) {
    self.layer = layer
    self.position = position
    self.unit = unit
    self.score = score
    self.value = value
    self.tokens = tokens
    self.logits = logits
  }
}

/// What one end of an edge gives to the other, past all other nodes.
public struct CircuitEdge: Codable, Sendable, Equatable {
  /// An end of an edge; in JSON `node 3`, `token 0` or `metric`.
  public enum End: Codable, Sendable, Hashable {
    /// A place in `nodes`.
    case node(Int)
    /// A token's embedding.
    case token(Int)
    /// The metric.
    case metric

    /// Reads `node 3`, `token 0` or `metric`.
    public init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      let words = try container.decode(String.self).split(separator: " ")
      switch (words.first, words.dropFirst().first.flatMap { Int($0) }, words.count) {
      case ("node", let place?, 2): self = .node(place)
      case ("token", let place?, 2): self = .token(place)
      case ("metric", nil, 1): self = .metric
      default:
        throw DecodingError.dataCorruptedError(
          in: container, debugDescription: "not an end of an edge")
      }
    }

    /// Writes the same.
    public func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .node(let place): try container.encode("node \(place)")
      case .token(let place): try container.encode("token \(place)")
      case .metric: try container.encode("metric")
      }
    }
  }

  /// Who gives.
  public var source: End
  /// Who receives.
  public var target: End
  /// e(s → t) in the target's own units: activation, or metric.
  public var value: Double
  /// The share of the target that the source explains.
  public var weight: Double
  /// `weight` times the target's score: what flows along the edge to the metric.
  public var attribution: Double

  /// Gathers the values.
  public init(source: End, target: End, value: Double, weight: Double, attribution: Double) {
    self.source = source
    self.target = target
    self.value = value
    self.weight = weight
    self.attribution = attribution
  }
}

/// How well circuits of growing size carry the metric.
public struct CircuitCurve: Codable, Sendable, Equatable {
  /// The method whose scores choose the nodes.
  public var method: AttributionMethod
  /// `mean`, `zero` or `resample`: what stands where a node is not of the circuit.
  public var ablation: String
  /// `threshold`, `top-signed` or `top-absolute`.
  public var selection: String
  /// F(M): the metric's mean with every node.
  public var full: Double
  /// F(∅): the metric's mean with none.
  public var empty: Double
  /// From none to all, ascending in nodes.
  public var points: [CircuitPoint]
  /// ∫ faithfulness dk over shares of nodes; nil where F(M) − F(∅) is too small.
  public var areas: CircuitAreas?
  /// The runs that the scores took, over one prompt.
  public var scorePasses: PassCount
  /// The runs that the curve took, over all prompts at once.
  public var curvePasses: PassCount

  /// Gathers the values.
  public init(
    method: AttributionMethod, ablation: String, selection: String, full: Double, empty: Double,
    points: [CircuitPoint], areas: CircuitAreas?, scorePasses: PassCount, curvePasses: PassCount
  ) {
    self.method = method
    self.ablation = ablation
    self.selection = selection
    self.full = full
    self.empty = empty
    self.points = points
    self.areas = areas
    self.scorePasses = scorePasses
    self.curvePasses = curvePasses
  }

  func check(_ path: String) throws {
    try method.check(path + ".method")
    try scorePasses.check(path + ".score_passes")
    try curvePasses.check(path + ".curve_passes")
    for (index, point) in points.enumerated() {
      let path = "\(path).points[\(index)]"
      let before = index == 0 ? 0 : points[index - 1].nodes
      try RangeCheck.natural(point.nodes, from: before, path + ".nodes")
      guard (0...1).contains(point.share) else {
        throw ResultsError.outOfRange(path + ".share", point.share, "from 0 to 1")
      }
    }
  }

  enum CodingKeys: String, CodingKey {
    case method, ablation, selection, full, empty, points, areas
    case scorePasses = "score_passes"
    case curvePasses = "curve_passes"
  }
}

/// One circuit of a curve.
public struct CircuitPoint: Codable, Sendable, Equatable {
  /// Scores above this, strictly, are in; nil for a circuit by count.
  public var threshold: Double?
  /// Its nodes.
  public var nodes: Int
  /// Their share of all.
  public var share: Double
  /// F(C).
  public var circuit: Double
  /// F(M ∖ C).
  public var complement: Double
  /// (F(C) − F(∅)) / (F(M) − F(∅)); nil where the divisor is too small.
  public var faithfulness: Double?
  /// (F(M ∖ C) − F(∅)) / (F(M) − F(∅)); nil where the divisor is too small.
  public var completeness: Double?

  /// Gathers the values.
  public init(
    threshold: Double?, nodes: Int, share: Double, circuit: Double, complement: Double,
    faithfulness: Double?, completeness: Double?
  ) {
    self.threshold = threshold
    self.nodes = nodes
    self.share = share
    self.circuit = circuit
    self.complement = complement
    self.faithfulness = faithfulness
    self.completeness = completeness
  }
}

/// Areas over a curve's shares of nodes k (MIB).
public struct CircuitAreas: Codable, Sendable, Equatable {
  /// CPR = ∫ f dk: higher is better; meant for signed selection.
  public var cpr: Double
  /// CMD = ∫ |1 − f| dk: lower is better; meant for absolute selection.
  public var cmd: Double
  /// CPR with k on a logarithmic axis, over the axis' length.
  public var cprLog: Double
  /// CMD with k on a logarithmic axis, over the axis' length.
  public var cmdLog: Double

  /// Gathers the areas.
  public init(cpr: Double, cmd: Double, cprLog: Double, cmdLog: Double) {
    self.cpr = cpr
    self.cmd = cmd
    self.cprLog = cprLog
    self.cmdLog = cmdLog
  }

  enum CodingKeys: String, CodingKey {
    case cpr, cmd
    case cprLog = "cpr_log"
    case cmdLog = "cmd_log"
  }
}
