internal import Attribution
public import LanguageModels
public import Results
internal import Tensors

// Nodes come from a trace. Their edges are found prompt by prompt, for coefficients are a prompt's own, and are means
// over prompts, as scores are; an edge that a prompt does not have counts as 0 there.

/// What is asked of edges beside the nodes.
public struct EdgeOptions: Sendable, Equatable {
  /// Edges that explain a smaller share of their target, in the mean over prompts, are left out.
  public var leastWeight = 0.01
  /// The most prompts that edges are means over.
  public var prompts = 10
  /// How many tokens' logits each node is measured by.
  public var logits = 5
  /// Whether nodes that lie on no way from a token to the metric are left out.
  public var prunes = false

  /// The defaults.
  public init() {}
}

extension CircuitPlan {
  /// Scores neurons, keeps some, and finds the edges between them, from tokens and to the metric.
  ///
  /// - Parameters:
  ///   - scoring: how neurons are scored.
  ///   - options: what is asked of edges.
  ///   - prompts: what for; those for training.
  ///   - loaded: the model.
  ///   - progress: told the share that is done.
  /// - Returns: nodes with token and logit maps, and edges; the model's hash is left to the caller.
  /// - Throws: `CircuitError` for units that are no neurons and for summed positions; as `trace` otherwise.
  /// - Complexity: that of the trace, and for each prompt two forward passes, a pass back for each node through
  ///   attention alone, and a pass each way for each logit.
  public func edges(
    _ scoring: NodeScoring, _ options: EdgeOptions = EdgeOptions(), of prompts: PromptSet,
    in loaded: LoadedModel, progress: (Double) -> Void = { _ in }
  ) throws -> CircuitResult {
    guard kind == .neuron, !sumsPositions else {
      throw CircuitError(
        .usage,
        "Edges are between neurons at tokens; leave out "
          + [
            kind == .neuron ? nil : "--unit \(kind.rawValue)",
            sumsPositions ? "--sum-positions" : nil,
          ]
          .compactMap(\.self).joined(separator: " and ") + ".")
    }
    let rules: BackwardRules = if case .relp(let rules, _) = scoring { rules } else { .relp }
    var result = try trace(scoring, of: prompts, in: loaded) { progress(0.3 * $0) }
    let places = result.nodes.compactMap { node in
      node.position.map { CircuitEdges.Place(layer: node.layer, position: $0, unit: node.unit) }
    }
    let pairs = Array(prompts.train.prefix(options.prompts))
    let logitTokens = try logitTokens(options.logits, pairs, prompts.task == nil, loaded)
    var sums = EdgeSums(nodes: places.count, logits: logitTokens.count)
    for (index, pair) in pairs.enumerated() {
      let metric = PromptPair.metric(of: [pair])
      let relevances = try relevances(places, pair, metric, rules, loaded)
      // All of a prompt's edges: which count is known when they have been averaged.
      let found = try CircuitEdges(rules, leastWeight: 0).edges(
        between: places, scores: relevances, of: pair.clean, metric, in: loaded.model
      ) { progress(0.3 + 0.7 * (Double(index) + 0.9 * $0) / Double(pairs.count)) }
      var logits: [[Double]] = []
      for token in logitTokens {
        logits.append(
          try self.relevances(
            places, pair, Metric(token: token, position: metric.position), rules, loaded))
      }
      sums.add(found, logits)
      result.passes =
        result.passes + found.passes
        + PassCount(forward: Double(1 + logits.count), backward: Double(1 + logits.count))
    }
    sums.write(to: &result, prompts: pairs.count, leastWeight: options.leastWeight)
    result.logitTokens = logitTokens.map(loaded.describe)
    if options.prunes {
      let pruned = CircuitEdges.pruned(result.nodes.count, result.edges ?? [])
      result.nodes = pruned.nodes.map { result.nodes[$0] }
      result.edges = pruned.edges
    }
    if pairs.count < prompts.train.count {
      result.warnings.append(
        "Nodes are of \(prompts.train.count) prompts, edges of the first \(pairs.count) of them.")
    }
    return result
  }

  /// Value times coefficient of some neurons.
  private func relevances(
    _ places: [CircuitEdges.Place], _ pair: PromptPair, _ metric: Metric, _ rules: BackwardRules,
    _ loaded: LoadedModel
  ) throws -> [Double] {
    let sites = Set(places.map { kind.site($0.layer) })
    let found = try RelevancePropagation(rules).scores(
      of: Array(sites), in: GradientSetting([pair.clean], metric, in: loaded.model))
    let values = try found.values.mapValues { try $0.values() }
    let units = loaded.model.shape.hidden
    return places.map { values[kind.site($0.layer)]?[$0.position * units + $0.unit] ?? 0 }
  }

  /// Of one text the most probable tokens; of a task the commonest answers.
  private func logitTokens(
    _ count: Int, _ pairs: [PromptPair], _ isOneText: Bool, _ loaded: LoadedModel
  ) throws -> [Int] {
    guard count > 0, let first = pairs.first else { return [] }
    var tokens: [Int] = []
    if isOneText {
      let logits = try withRecording(false) {
        let run = try loaded.model.run([first.clean])
        return try withEngineErrors {
          try loaded.model.unembedding.logits(
            run.residual.slice(first.clean.count - 1..<first.clean.count, along: 1)
          ).values()
        }
      }
      tokens = [first.answer] + (first.versus.map { [$0] } ?? [])
      tokens += logits.indices.sorted { logits[$0] > logits[$1] }.prefix(count + 2)
    } else {
      let answers = pairs.flatMap { [$0.answer] + ($0.versus.map { [$0] } ?? []) }
      let counts = Dictionary(answers.map { ($0, 1) }, uniquingKeysWith: +)
      tokens = counts.sorted { ($0.value, $1.key) > ($1.value, $0.key) }.map(\.key)
    }
    var seen: Set<Int> = []
    return Array(tokens.filter { seen.insert($0).inserted }.prefix(count))
  }
}

/// What prompts' edges come to.
private struct EdgeSums {
  private struct Key: Hashable {
    var source: CircuitEdge.End
    var target: CircuitEdge.End
  }

  private var edges: [Key: (value: Double, weight: Double, attribution: Double)] = [:]
  private var values: [Double]
  private var tokens: [[Double]]
  private var logits: [[Double]]
  private var worst: SumCertificate?

  init(nodes: Int, logits: Int) {
    values = Array(repeating: 0, count: nodes)
    tokens = Array(repeating: [], count: nodes)
    self.logits = Array(repeating: Array(repeating: 0, count: logits), count: nodes)
  }

  mutating func add(_ found: CircuitEdges.Found, _ logits: [[Double]]) {
    for edge in found.edges {
      let sum = edges[Key(source: edge.source, target: edge.target)] ?? (0, 0, 0)
      edges[Key(source: edge.source, target: edge.target)] = (
        sum.value + edge.value, sum.weight + edge.weight, sum.attribution + edge.attribution
      )
    }
    for node in values.indices {
      values[node] += found.values[node]
      tokens[node] =
        tokens[node].isEmpty
        ? found.tokens[node] : zip(tokens[node], found.tokens[node]).map { $0 + $1 }
      for (token, relevances) in logits.enumerated() {
        self.logits[node][token] += relevances[node]
      }
    }
    if let one = found.worst, one.residual > worst?.residual ?? -1 { worst = one }
  }

  func write(to result: inout CircuitResult, prompts: Int, leastWeight: Double) {
    let share = 1 / Double(prompts)
    for node in result.nodes.indices {
      result.nodes[node].value = values[node] * share
      result.nodes[node].tokens = tokens[node].map { $0 * share }
      if !logits[node].isEmpty { result.nodes[node].logits = logits[node].map { $0 * share } }
    }
    result.certificate = worst
    result.edges =
      edges.map { key, sum in
        CircuitEdge(
          source: key.source, target: key.target, value: sum.value * share,
          weight: sum.weight * share, attribution: sum.attribution * share)
      }
      .filter { abs($0.weight) >= leastWeight }.inOrder
  }
}

extension [CircuitEdge] {
  /// Largest attribution first.
  var inOrder: [CircuitEdge] {
    sorted { first, second in
      let (a, b) = (abs(first.attribution), abs(second.attribution))
      return a == b ? first.order.lexicographicallyPrecedes(second.order) : a > b
    }
  }
}

extension CircuitEdge {
  /// A place among edges of one size, so that the same run lists them in the same order.
  fileprivate var order: [Int] {
    [source, target].flatMap { end in
      switch end {
      case .token(let token): [0, token]
      case .node(let node): [1, node]
      case .metric: [2, 0]
      }
    }
  }
}
