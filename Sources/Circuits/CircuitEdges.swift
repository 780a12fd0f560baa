public import Attribution
public import LanguageModels
public import Results
internal import Tensors

// What one neuron gives to another directly, past all other neurons. Under rules that hold norms, patterns and
// coefficients, and with nothing passing through the feed-forward networks between,
//
//     e(s → t) = v_s · ∂̃v_t/∂v_s
//
// is the part of t's value that s wrote into the stream and attention carried to t. Everything that t reads was
// written by some neuron, a token's embedding or a bias, so
//
//     Σ_s e(s → t) + Σ_τ e(τ → t) + biases = v_t.
//
// One pass forward serves all: stream and neurons, recorded with networks stopped; and for the neurons of each layer
// the same block once more with its own network open, begun from that stream. From then on each target takes one pass
// back, which knows all sources of all layers at once (Transluce 2025; their code runs the model once for every pair of
// layers).

/// Edges between neurons, from tokens to neurons, and from both to the metric.
public struct CircuitEdges: Sendable {
  /// The rules; networks between are stopped whatever they say.
  public var rules: BackwardRules
  /// Edges that explain a smaller share of their target are left out.
  public var leastWeight: Double

  /// Rules, and the smallest share that is an edge.
  public init(_ rules: BackwardRules = .relp, leastWeight: Double = 0.01) {
    self.rules = rules
    self.leastWeight = leastWeight
  }

  /// A neuron at a token.
  public struct Place: Hashable, Sendable {
    /// The block.
    public var layer: Int
    /// The token.
    public var position: Int
    /// The neuron.
    public var unit: Int

    /// Names a neuron.
    public init(layer: Int, position: Int, unit: Int) {
      self.layer = layer
      self.position = position
      self.unit = unit
    }
  }

  /// The edges of one text.
  public struct Found: Sendable {
    /// Between neurons, from tokens and to the metric, largest attribution first.
    public var edges: [CircuitEdge]
    /// Each node's value.
    public var values: [Double]
    /// What each token gives to each node, as shares of its value: [node][position].
    public var tokens: [[Double]]
    /// Of the node whose sources miss its value most: what all neurons, tokens and biases sum to, and the value.
    public var worst: SumCertificate?
    /// m.
    public var metric: Double
    /// Runs.
    public var passes: PassCount
  }

  /// The edges between some neurons of a text.
  ///
  /// - Parameters:
  ///   - nodes: neurons at tokens, each once.
  ///   - scores: what each node gives to the metric in all, which its edges' attributions are shares of.
  ///   - ids: the text.
  ///   - metric: m.
  ///   - model: a model whose every block has neurons.
  ///   - progress: told the share of targets done.
  /// - Returns: edges with their shares, and what tokens give.
  /// - Throws: `ModelError` or `AttributionError` for a text, nodes or rules that the model does not have;
  ///   `EngineError` when memory runs out.
  /// - Complexity: two forward passes, and for each node and the metric a pass back through attention alone, from its
  ///   own block down.
  public func edges(
    between nodes: [Place], scores: [Double], of ids: [Int], _ metric: Metric,
    in model: any LanguageModel, progress: (Double) -> Void = { _ in }
  ) throws -> Found {
    precondition(nodes.count == scores.count, "\(nodes.count) nodes with \(scores.count) scores")
    // Text, metric and model are checked as for any gradient.
    let setting = try GradientSetting([ids], metric, in: model)
    try model.check(rules)
    let shape = model.shape
    let sites = (0..<shape.layers).map { UnitKind.neuron.site($0) }
    guard sites.allSatisfy(model.sites.contains) else {
      throw AttributionError(
        .usage,
        "\(shape.architecture) has layers without neurons of their own, so edges between them are not all there."
      )
    }
    if let wrong = nodes.first(where: {
      !(0..<shape.layers).contains($0.layer) || !ids.indices.contains($0.position)
        || !(0..<shape.hidden).contains($0.unit)
    }) {
      throw AttributionError(
        .usage,
        "There is no neuron \(wrong.unit) in layer \(wrong.layer) at position \(wrong.position); this model has "
          + "layers 0 to \(shape.layers - 1) with neurons 0 to \(shape.hidden - 1), the text positions 0 to "
          + "\(ids.count - 1).")
    }
    return try withEngineErrors {
      try withRecording(true) {
        let graph = DirectGraph(ids, setting.model, rules)
        return try found(nodes, scores, ids.count, metric, graph, progress)
      }
    }
  }

  private func found(
    _ nodes: [Place], _ scores: [Double], _ tokens: Int, _ metric: Metric, _ graph: DirectGraph,
    _ progress: (Double) -> Void
  ) throws -> Found {
    let shape = graph.model.shape
    let byLayer = Dictionary(grouping: nodes.indices) { nodes[$0].layer }
    var edges: [CircuitEdge] = []
    var shares = [[Double]](repeating: [], count: nodes.count)
    var values = [Double](repeating: 0, count: nodes.count)
    var worst: SumCertificate?

    /// All that reaches a number directly from below a layer.
    func add(
      _ target: CircuitEdge.End, _ number: Tensor, below layer: Int, value: Double, scale: Double,
      score: Double
    ) throws -> [Double] {
      let hidden = (0..<layer).map { graph.hidden[$0] }
      let gradients = number.gradient(withRespectTo: [graph.embedding, graph.shares] + hidden)
      func given(_ value: Tensor, _ gradient: Tensor) -> Tensor { value.detached * gradient }
      let fromTokens = try given(graph.embedding, gradients[0]).sum(along: -1).values()
      let constant = try gradients[1].sum.scalar()
      var sum = fromTokens.reduce(0, +)
      for (token, part) in fromTokens.enumerated() { add(.token(token), part) }
      for (source, gradient) in zip(0..<layer, gradients.dropFirst(2)) {
        let parts = given(hidden[source], gradient).reshaped([-1])
        sum += try parts.to(.float64).sum.scalar()
        guard let here = byLayer[source] else { continue }
        let places = here.map { nodes[$0].position * shape.hidden + nodes[$0].unit }
        for (node, part) in zip(here, try parts.selecting(places, along: 0).values()) {
          add(.node(node), part)
        }
      }
      func add(_ source: CircuitEdge.End, _ part: Double) {
        let weight = part / scale
        guard part != 0, abs(weight) >= leastWeight else { return }
        edges.append(
          CircuitEdge(
            source: source, target: target, value: part, weight: weight,
            attribution: weight * score))
      }
      let certificate = SumCertificate(sum: sum, constants: constant, expected: value)
      if certificate.residual > worst?.residual ?? -1 { worst = certificate }
      return fromTokens.map { $0 / scale }
    }

    let mean = try graph.meanMagnitude()
    var done = 0
    for layer in byLayer.keys.sorted() {
      // Only the neurons of this layer are open to what they read.
      let neurons = graph.opened(layer)
      for node in byLayer[layer] ?? [] {
        let place = nodes[node]
        let number = neurons.slice(place.position..<place.position + 1, along: 1)
          .slice(place.unit..<place.unit + 1, along: 2)
        let value = try number.detached.scalar()
        values[node] = value
        shares[node] = try add(
          .node(node), number, below: layer, value: value,
          scale: value + (value < 0 ? -1 : 1) * 1e-6 * mean, score: scores[node])
        done += 1
        progress(Double(done) / Double(nodes.count + 1))
      }
    }
    let number = metric(graph.last, in: graph.model, pass: graph.pass(open: false))
    let whole = try number.detached.scalar()
    _ = try add(
      .metric, number, below: shape.layers, value: whole,
      scale: whole + (whole < 0 ? -1 : 1) * 1e-12, score: whole)
    progress(1)
    let targets = Double(nodes.count + 1)
    return Found(
      edges: edges.sorted { abs($0.attribution) > abs($1.attribution) }, values: values,
      tokens: shares, worst: worst, metric: whole,
      passes: PassCount(forward: 2, backward: targets))
  }
}

/// One text's stream and neurons, recorded with networks stopped.
private final class DirectGraph {
  let model: any BlockwiseModel
  let positions: Positions
  let rules: BackwardRules
  /// What the first block receives, a leaf: [1, position, width].
  let embedding: Tensor
  /// What biases are multiplied by, a leaf.
  let shares: Tensor
  /// The stream before each block.
  private(set) var before: [Tensor] = []
  /// Each block's neurons, leaves, so that what made them is no part of what they give: [1, position, hidden].
  private(set) var hidden: [Tensor] = []
  /// The stream after the last block.
  private(set) var last: Tensor

  init(_ ids: [Int], _ model: any BlockwiseModel, _ rules: BackwardRules) {
    self.model = model
    self.rules = rules
    positions = model.positions(0..<ids.count)
    embedding = withRecording(false) { model.embed([ids], from: 0, pass: .plain) }
      .requiringGradient()
    shares = Tensor(repeating: 1, [model.shape.layers + 1], model.type, on: model.device)
      .requiringGradient()
    last = embedding
    for layer in 0..<model.shape.layers {
      before.append(last)
      var seen: Tensor?
      last = model.blocks(
        layer..<layer + 1, last, positions, cache: nil,
        pass: pass(open: false, seeing: layer) {
          let leaf = $0.requiringGradient()
          seen = leaf
          return leaf
        })
      if let seen { hidden.append(seen) }
    }
  }

  /// The neurons of a block with its network open to what it reads.
  func opened(_ layer: Int) -> Tensor {
    var seen: Tensor?
    _ = model.blocks(
      layer..<layer + 1, before[layer], positions, cache: nil,
      pass: pass(open: true, seeing: layer) {
        seen = $0
        return $0
      })
    return seen ?? hidden[layer]
  }

  func pass(
    open: Bool, seeing layer: Int? = nil, _ show: @escaping (Tensor) -> Tensor = { $0 }
  ) -> Pass {
    var held = rules
    held.feedForward = open ? .flow : .stop
    var pass = Pass(
      sites: Set(layer.map { [UnitKind.neuron.site($0)] } ?? []), rules: held
    ) { _, value in show(value) }
    pass.biasShares = shares
    return pass
  }

  /// The mean magnitude of all neurons.
  func meanMagnitude() throws -> Double {
    let sums = try hidden.map { try $0.detached.values().reduce(0) { $0 + abs($1) } }
    return sums.reduce(0, +) / Double(max(1, hidden.reduce(0) { $0 + $1.count }))
  }
}

extension CircuitEdges {
  /// Nodes that lie on some way from a token to the metric by these edges, and the edges between them.
  ///
  /// - Parameters:
  ///   - count: how many nodes there are.
  ///   - edges: between them; their ends are renumbered.
  /// - Returns: the nodes that stay, ascending, and their edges.
  public static func pruned(_ count: Int, _ edges: [CircuitEdge]) -> (
    nodes: [Int], edges: [CircuitEdge]
  ) {
    typealias End = CircuitEdge.End
    func reached(from start: [End], along ways: [(from: End, to: End)]) -> Set<End> {
      let next = Dictionary(grouping: ways, by: \.from)
      var found = Set(start)
      var open = start
      while let end = open.popLast() {
        for (_, other) in next[end] ?? [] where found.insert(other).inserted { open.append(other) }
      }
      return found
    }
    let tokens = Set(edges.map(\.source)).filter { if case .token = $0 { true } else { false } }
    let fed = reached(from: Array(tokens), along: edges.map { ($0.source, $0.target) })
    let feeding = reached(from: [.metric], along: edges.map { ($0.target, $0.source) })
    let live = fed.intersection(feeding)
    let nodes = (0..<count).filter { live.contains(.node($0)) }
    let places = Dictionary(uniqueKeysWithValues: nodes.enumerated().map { ($1, $0) })
    func renumbered(_ end: CircuitEdge.End) -> CircuitEdge.End {
      if case .node(let node) = end { .node(places[node] ?? 0) } else { end }
    }
    return (
      nodes,
      edges.filter { live.contains($0.source) && live.contains($0.target) }.map { edge in
        var edge = edge
        edge.source = renumbered(edge.source)
        edge.target = renumbered(edge.target)
        return edge
      }
    )
  }
}
