public import Foundation
public import Results

// The layout that circuit-tracer's front end reads: one JSON object of `metadata`, `qParams`, `nodes`
// and `links`. It was made for features of transcoders; a neuron, head or coordinate of ours is one of
// its features.
//
//   circuit                          node of the graph
//   ------------------------------   ---------------------------------------------------------------
//   token t                          `embedding`, layer "E", node_id E_<vocabulary id>_<t>
//   unit j of layer l at token t     `cross layer transcoder`, layer "l", node_id <l>_<j>_<t>;
//                                    `feature` is the Cantor pairing of (l, j), as the front end of
//                                    schema version 1 takes it apart again; `activation` its value
//   unit of summed positions         the same, at the position that predicts
//   the metric                       `logit`, layer "<layers + 1>", the target of the whole
//
//   edge s → t                       link with `weight` = e(s → t), in the target's own units: the front
//                                    end forms shares of a node's inputs by itself
//   score                            `influence`: the share of all |score| that this node and those
//                                    before it hold, from 0 to 1. The front end's pruning keeps nodes
//                                    up to a share, so strongest nodes have the smallest numbers.
//
// The label of a logit holds `(p=`: the front end reads a probability from it. A metric of probabilities
// gives one; of logits none is known, and the label says `(p=?)`. Two tokens of a difference are one node
// whose label names both. Without edges there are no links, and the front end shows nodes alone.
//
// The front end opens the file `graph_data/<slug>.json` of a slug that `data/graph-metadata.json` lists:
// its server adds `metadata` of each file to that list by itself. It drops whatever stands at more than
// two thirds of the tokens, so a text of one token opens empty.

extension CircuitReport {
  /// The circuit in the JSON layout that circuit-tracer's front end opens.
  ///
  /// - Parameters:
  ///   - result: The circuit.
  ///   - slug: The file's name without `.json`, by which the front end finds it; letters, digits, dashes
  ///     and underscores of ASCII are kept and all else becomes a dash.
  /// - Returns: UTF-8 text that ends in a line break; the same circuit always gives the same bytes.
  /// - Throws: `ResultsError` where a number is NaN or infinite, or lists do not fit one another.
  public static func graph(for result: CircuitResult, slug: String = "circuit") throws -> Data {
    try result.checkRanges()
    // Whatever JSON cannot carry is named by the result's own fields.
    _ = try result.encoded(reproducible: true, indented: false)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var data = try encoder.encode(TracerGraph(result, slug: slug))
    data.append(UInt8(ascii: "\n"))
    return data
  }
}

private struct TracerGraph: Encodable {
  var metadata: Metadata
  var qParams = Parameters()
  var nodes: [Node]
  var links: [Link]

  struct Metadata: Encodable {
    var slug: String
    var scan: String
    var transcoderList: [String] = []
    var promptTokens: [String]
    var prompt: String
    var nodeThreshold: Double?
    var schemaVersion = 1

    enum CodingKeys: String, CodingKey {
      case slug, scan
      case transcoderList = "transcoder_list"
      case promptTokens = "prompt_tokens"
      case prompt
      case nodeThreshold = "node_threshold"
      case schemaVersion = "schema_version"
    }
  }

  /// The state in which the front end opens: nothing pinned, nothing grouped.
  struct Parameters: Encodable {
    var pinnedIds: [String] = []
    var supernodes: [[String]] = []
    var linkType = "both"
    var clickedId = ""
    var sgPos = ""

    enum CodingKeys: String, CodingKey {
      case pinnedIds, supernodes, linkType, clickedId
      case sgPos = "sg_pos"
    }
  }

  struct Node: Encodable {
    var id: String
    var feature: Int
    var layer: String
    var position: Int
    var kind: String
    var scriptId: String
    var label = ""
    var probability = 0.0
    var isTarget = false
    var influence: Double?
    var activation: Double?

    enum CodingKeys: String, CodingKey {
      case id = "node_id"
      case feature, layer
      case position = "ctx_idx"
      case kind = "feature_type"
      case scriptId = "jsNodeId"
      case label = "clerp"
      case probability = "token_prob"
      case isTarget = "is_target_logit"
      case runIndex = "run_idx"
      case reversePosition = "reverse_ctx_idx"
      case influence, activation
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(id, forKey: .id)
      try container.encode(feature, forKey: .feature)
      try container.encode(layer, forKey: .layer)
      try container.encode(position, forKey: .position)
      try container.encode(kind, forKey: .kind)
      try container.encode(scriptId, forKey: .scriptId)
      try container.encode(label, forKey: .label)
      try container.encode(probability, forKey: .probability)
      try container.encode(isTarget, forKey: .isTarget)
      try container.encode(0, forKey: .runIndex)
      try container.encode(0, forKey: .reversePosition)
      // The layout has null where a node has no such number.
      try container.encode(influence, forKey: .influence)
      try container.encode(activation, forKey: .activation)
    }
  }

  struct Link: Encodable {
    var source: String
    var target: String
    var weight: Double
  }

  init(_ result: CircuitResult, slug: String) {
    let metric = result.metric
    let plain = slug.unicodeScalars.map { scalar in
      let isKept =
        scalar.isASCII
        && (scalar.properties.isAlphabetic || "0123456789-_".unicodeScalars.contains(scalar))
      return isKept ? String(scalar) : "-"
    }.joined()
    metadata = Metadata(
      slug: plain.isEmpty ? "circuit" : plain, scan: result.model.name,
      promptTokens: result.tokens.map(\.text), prompt: result.text)
    let influence = Self.influence(result.nodes)
    let units = zip(result.nodes, influence).map { node, influence in
      let position = node.position ?? metric.position
      return Node(
        id: "\(node.layer)_\(node.unit)_\(position)",
        feature: Self.pairing(node.layer, node.unit), layer: String(node.layer),
        position: position, kind: "cross layer transcoder",
        scriptId: "\(node.layer)_\(node.unit)-0",
        label: "\(result.unit) \(node.layer)/\(node.unit)", influence: influence,
        activation: node.value)
    }
    let tokens = result.tokens.enumerated().map { position, token in
      Node(
        id: "E_\(token.id)_\(position)", feature: position, layer: "E", position: position,
        kind: "embedding", scriptId: "E_\(token.id)-\(position)")
    }
    let goal = Self.goal(metric, layers: result.model.layers)
    func id(_ end: CircuitEdge.End) -> String {
      switch end {
      case .node(let place): units[place].id
      case .token(let position): tokens[position].id
      case .metric: goal.id
      }
    }
    nodes = units + tokens + [goal]
    links = (result.edges ?? []).map {
      Link(source: id($0.source), target: id($0.target), weight: $0.value)
    }
  }

  private static func goal(_ metric: MetricDescription, layers: Int) -> Node {
    let probability: Double? =
      switch metric.name {
      case "prob": metric.value
      case "logprob": exp(metric.value)
      default: nil
      }
    // The front end reads the token between straight quotation marks.
    func quoted(_ token: TokenDescription) -> String {
      "\"" + token.text.replacing("\"", with: "″") + "\""
    }
    let versus = metric.versus.map { " − " + quoted($0) } ?? ""
    let shown = probability.map { Quantity.fixed($0, 3, signed: false) } ?? "?"
    return Node(
      id: "\(layers + 1)_\(metric.token.id)_\(metric.position)", feature: metric.token.id,
      layer: String(layers + 1), position: metric.position, kind: "logit",
      scriptId: "L_\(metric.token.id)-\(metric.position)",
      label: "Output " + quoted(metric.token) + versus + " (p=\(shown))",
      probability: probability ?? 0, isTarget: true)
  }

  /// The share of all magnitude that a node and all larger ones hold.
  private static func influence(_ nodes: [CircuitNode]) -> [Double] {
    let total = nodes.reduce(0) { $0 + abs($1.score) }
    var shares = [Double](repeating: 1, count: nodes.count)
    guard total > 0, total.isFinite else { return shares }
    var sum = 0.0
    for place in nodes.indices.sorted(by: {
      (-abs(nodes[$0].score), $0) < (-abs(nodes[$1].score), $1)
    }) {
      sum += abs(nodes[place].score)
      shares[place] = min(1, sum / total)
    }
    return shares
  }

  /// Cantor's pairing: one number for a layer and a unit.
  private static func pairing(_ layer: Int, _ unit: Int) -> Int {
    let sum = layer.addingReportingOverflow(unit)
    guard !sum.overflow else { return unit }
    let product = sum.partialValue.multipliedReportingOverflow(by: sum.partialValue + 1)
    guard !product.overflow else { return unit }
    let whole = (product.partialValue / 2).addingReportingOverflow(unit)
    return whole.overflow ? unit : whole.partialValue
  }
}
