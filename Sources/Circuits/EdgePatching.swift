public import Attribution
public import LanguageModels
public import Results
internal import Tensors

// The stream is a sum: of the embedding and of what every branch before added. So what a branch reads changes by the
// sum of those changes, and to first order the metric changes by
//
//     e(u → w) = ⟨a_u(clean) − a_u(patch), ∂m/∂in_w⟩,
//
// for each source u and each branch w that reads after it; in_w is w's own reading of the stream, and the gradient at it
// leaves out what passes w by (edge attribution patching, EAP: Syed, Rager and Conmy 2023). Averaged along the input's
// path the gradient is EAP-IG's (Hanna, Pezzelle and Belinkov 2024). Over its sources an edge sums to the change of w's
// reading times that gradient, over positions and width.

/// Edges between tokens' embeddings, attention and feed-forward networks, by one pass each way.
public struct EdgePatching: Sendable {
  /// The points of the input's path whose gradients are averaged; nil for the clean run's alone.
  public var rule: PathRule?

  /// EAP, or EAP-IG along a path.
  public init(_ rule: PathRule? = nil) { self.rule = rule }

  /// A branch of a block, or a token's embedding.
  public enum Source: Hashable, Sendable {
    /// What the first block receives of a token.
    case token(Int)
    /// What a block's attention adds.
    case attention(Int)
    /// What a block's network adds.
    case mlp(Int)

    var site: Site {
      switch self {
      case .token: .embedding
      case .attention(let layer): .attention(layer, .output)
      case .mlp(let layer): .feedForward(layer, .output)
      }
    }
  }

  /// Who reads.
  public enum Target: Hashable, Sendable {
    /// A block's attention.
    case attention(Int)
    /// A block's network.
    case mlp(Int)
    /// The head.
    case metric
  }

  /// Scores of one pair of texts; positive supports the clean metric.
  public struct Found: Sendable {
    /// Every source with every target that reads after it.
    public var edges: [(source: Source, target: Target, value: Double)]
    /// What each source gives by all its edges together, past other branches and through them.
    public var sources: [(source: Source, value: Double)]
    /// m of the clean text.
    public var clean: Double
    /// m of the other.
    public var patch: Double
    /// Runs.
    public var passes: PassCount
  }

  /// The edges of a pair of texts.
  ///
  /// - Parameters:
  ///   - pair: texts of one length.
  ///   - metric: m.
  ///   - model: a model whose blocks add to the stream.
  /// - Returns: all edges.
  /// - Throws: `CircuitError` for a pair without a patch and for blocks that normalise the stream; `ModelError`,
  ///   `AttributionError` and `EngineError` as gradients do.
  /// - Complexity: two forward passes and, for each node of the path, one each way.
  public func edges(
    of pair: PromptPair, _ metric: Metric, in model: any LanguageModel
  ) throws -> Found {
    guard let patch = pair.patch else {
      throw CircuitError(
        .usage, "Edges between branches are of what changes; give another text with --contrast.")
    }
    let layers = 0..<model.shape.layers
    for layer in layers {
      guard case .branches(let branches)? = model.rule(of: layer), branches.norms == nil else {
        throw CircuitError(
          .usage,
          "Block \(layer) of \(model.shape.architecture) does not simply add to the stream, so no reading of it is a "
            + "sum of branches; use edges between neurons.")
      }
    }
    let setting = try GradientSetting([pair.clean], metric, from: .contrast([patch]), in: model)
    let readings: [(Target, Site)] =
      layers.flatMap {
        [
          (Target.attention($0), Site.attention($0, .input)),
          (Target.mlp($0), Site.feedForward($0, .input)),
        ]
      } + [(.metric, .residual(layers.count - 1, .after))]
    let sources: [Source] =
      pair.clean.indices.map { .token($0) } + layers.flatMap { [.attention($0), .mlp($0)] }
    let sites = readings.map(\.1) + sources.map(\.site)
    let slopes =
      try rule.map { try InternalInfluence($0).scores(of: sites, in: setting) }
      ?? Saliency().scores(of: sites, in: setting)

    let watched = Set(sources.map(\.site))
    let (own, other) = try withRecording(false) {
      (
        try model.run([pair.clean], capturing: watched),
        try model.run([patch], capturing: watched)
      )
    }
    return try withEngineErrors {
      func flat(_ value: Tensor) -> Tensor { value.to(.float64).reshaped([1, -1]) }
      let count = pair.clean.count
      func change(_ source: Source) -> Tensor {
        let all = own.activations[source.site] - other.activations[source.site]
        guard case .token(let token) = source else { return flat(all) }
        let one = Tensor(
          (0..<count).map { $0 == token ? 1 : 0 }, [1, count, 1], all.type, on: all.device)
        return flat(all * one)
      }
      let changes = Tensor.concatenating(sources.map(change), along: 0)
      func gradients(_ sites: [Site]) -> Tensor {
        Tensor.concatenating(sites.compactMap { slopes.values[$0] }.map(flat), along: 0)
      }
      // [source, target]
      let table = try changes.matmul(gradients(readings.map(\.1)).transposed(0, 1)).values()
      let whole = try (changes * gradients(sources.map(\.site))).sum(along: -1).values()
      let isParallel = !model.sites.contains(.residual(0, .middle))
      var edges: [(source: Source, target: Target, value: Double)] = []
      for (row, source) in sources.enumerated() {
        for (column, (target, _)) in readings.enumerated()
        where target.reads(source, isParallel: isParallel) {
          edges.append((source, target, table[row * readings.count + column]))
        }
      }
      let ends = try withRecording(false) {
        try (
          metric(own.residual, in: model).values()[0], metric(other.residual, in: model).values()[0]
        )
      }
      return Found(
        edges: edges, sources: zip(sources, whole).map { ($0, $1) }, clean: ends.0, patch: ends.1,
        passes: slopes.passes + PassCount(forward: 2, backward: 0))
    }
  }
}

extension EdgePatching.Target {
  /// Whether what a source adds is in what this reads.
  func reads(_ source: EdgePatching.Source, isParallel: Bool) -> Bool {
    /// Branches in the order in which they are added and read.
    func place(_ layer: Int, _ isNetwork: Bool) -> Int {
      2 * layer + (isNetwork && !isParallel ? 1 : 0)
    }
    let own =
      switch self {
      case .attention(let layer): place(layer, false)
      case .mlp(let layer): place(layer, true)
      case .metric: Int.max
      }
    return switch source {
    case .token: true
    case .attention(let layer): place(layer, false) < own
    case .mlp(let layer): place(layer, true) < own
    }
  }
}

extension CircuitPlan {
  /// Edges between the branches of a model, means over prompts.
  ///
  /// - Parameters:
  ///   - scoring: attribution patching at the clean run, or averaged along the input's path.
  ///   - options: what is asked of edges; logits are of neurons.
  ///   - prompts: those for training, each with a patch.
  ///   - loaded: the model.
  ///   - progress: told the share that is done.
  /// - Returns: nodes of unit `branch`: 0 for attention and 1 for the network; edges whose weight is their share of
  ///   the metric's change.
  /// - Throws: as `EdgePatching.edges`; `CircuitError` for another way of scoring.
  /// - Complexity: that of `EdgePatching.edges` for each prompt.
  public func branchEdges(
    _ scoring: NodeScoring, _ options: EdgeOptions = EdgeOptions(), of prompts: PromptSet,
    in loaded: LoadedModel, progress: (Double) -> Void = { _ in }
  ) throws -> CircuitResult {
    let patching: EdgePatching
    switch scoring {
    case .attributionPatching(.clean): patching = EdgePatching()
    case .pathAverage(let steps): patching = EdgePatching(.midpoint(steps))
    default:
      throw CircuitError(
        .usage,
        "Edges between branches are scored by atp (EAP) or eap-ig; choose one with --method.")
    }
    var result = try start(scoring, prompts, loaded)
    let pairs = Array(prompts.train.prefix(options.prompts))
    let layers = loaded.model.shape.layers
    let sources = (0..<layers).flatMap { [EdgePatching.Source.attention($0), .mlp($0)] }
    let places = Dictionary(uniqueKeysWithValues: sources.enumerated().map { ($1, $0) })
    var scores = [Double](repeating: 0, count: sources.count)
    var sums: [EdgePatching.Source: [EdgePatching.Target: Double]] = [:]
    var change = 0.0
    for (index, pair) in pairs.enumerated() {
      let found = try patching.edges(
        of: pair, PromptPair.metric(of: [pair]), in: loaded.model)
      for edge in found.edges {
        sums[edge.source, default: [:]][edge.target, default: 0] += edge.value
      }
      for (source, value) in found.sources {
        if let place = places[source] { scores[place] += value }
      }
      change += found.clean - found.patch
      result.passes = result.passes + found.passes
      progress(Double(index + 1) / Double(pairs.count))
    }
    let count = Double(pairs.count)
    result.unit = "branch"
    result.unitCount = sources.count
    result.nodes = zip(sources, scores).map { source, score in
      switch source {
      case .attention(let layer), .mlp(let layer):
        CircuitNode(
          layer: layer, position: nil, unit: source == .mlp(layer) ? 1 : 0, score: score / count)
      case .token: preconditionFailure("a token is no branch")
      }
    }
    func end(_ target: EdgePatching.Target) -> CircuitEdge.End {
      switch target {
      case .attention(let layer): .node(places[.attention(layer)] ?? 0)
      case .mlp(let layer): .node(places[.mlp(layer)] ?? 0)
      case .metric: .metric
      }
    }
    func end(_ source: EdgePatching.Source) -> CircuitEdge.End {
      if case .token(let token) = source { .token(token) } else { .node(places[source] ?? 0) }
    }
    let scale = change == 0 ? 1 : change
    result.edges =
      sums.flatMap { source, targets in
        targets.map { target, value in
          CircuitEdge(
            source: end(source), target: end(target),
            value: value / count, weight: value / scale, attribution: value / count)
        }
      }.filter { abs($0.weight) >= options.leastWeight }.inOrder
    if options.prunes {
      let pruned = CircuitEdges.pruned(result.nodes.count, result.edges ?? [])
      result.nodes = pruned.nodes.map { result.nodes[$0] }
      result.edges = pruned.edges
    }
    return result
  }
}
