public import LanguageModels
public import Results
internal import Tensors

// Information-flow routes (Ferrando and Voita 2024). What leaves a sublayer is a sum y = Σ z_k: the stream itself
// and what was added to it, by each head from each source, or by a feed-forward network. A term counts by how much
// nearer y is with it than without, in ‖·‖₁, and not at all where it leads away:
//
//     proximity(z, y) = max(0, ‖y‖₁ − ‖y − z‖₁),      importance(z_k) = proximity(z_k, y) / Σ_k′ proximity(z_k′, y).
//
// From one prediction down, edges of an importance of at least τ lead to the nodes that matter; nothing else is
// visited. Biases after the sum (b_O, norms' shifts) are part of y or of nothing, and no term. A block whose branches
// read the same stream has one sum for both. Behind the norms of a post-norm block, terms pass those at the scale of
// the run.
//
// A token's score is what arrives at its embedding when each node hands its share down edge by edge: with τ = 0 all
// of it does, and scores sum to 1.

/// The routes by which information flows to one prediction.
public struct InformationFlowRoutes: Sendable {
  /// τ: what an edge's importance must reach.
  public var threshold: Double

  /// Routes of edges of at least this importance.
  public init(threshold: Double = 0.04) { self.threshold = threshold }

  /// The way that an edge stands for.
  public enum Way: Sendable, Hashable {
    /// The stream past a sublayer.
    case residual
    /// A head.
    case head(Int)
    /// A feed-forward network.
    case feedForward
  }

  /// A place in the stream.
  public struct Node: Sendable, Hashable {
    /// The block; −1 for the embedding.
    public var layer: Int
    /// Whether it stands between the block's attention and its feed-forward network, rather than after it.
    public var isMiddle: Bool
    /// The token.
    public var position: Int
  }

  /// What one place gives another.
  public struct Edge: Sendable, Equatable {
    /// Who gives.
    public var source: Node
    /// Who receives.
    public var target: Node
    /// By which way.
    public var way: Way
    /// Its share of the target, among all that arrive there.
    public var importance: Double
  }

  /// The graph of one prediction.
  public struct Routes: Sendable, Equatable {
    /// Where it starts: what stands at the position after the last block.
    public var root: Node
    /// From the root down.
    public var edges: [Edge]
    /// What arrives at each token's embedding, of 1 at the root.
    public var tokens: [Double]
    /// What arrives at each layer's tokens: the embedding's, then after each block but the last.
    public var shares: [[Double]]
  }

  /// Scores of a text's tokens for what stands at one position at the end.
  ///
  /// - Parameters:
  ///   - ids: The text.
  ///   - position: Whose result.
  ///   - model: A model whose blocks' attention is known to be a sum.
  /// - Returns: Scores of tokens, and the shares at each layer's tokens, −1 being the embedding.
  /// - Throws: As `routes(of:to:in:)`.
  /// - Complexity: As `routes(of:to:in:)`.
  public func scores(
    of ids: [Int], at position: Int, in model: any LanguageModel
  ) throws -> [AttributionScores] {
    let routes = try routes(of: ids, to: position, in: model)
    var scores = [AttributionScores].shares(routes.shares)
    if threshold > 0 {
      for index in scores.indices {
        scores[index].certificates = nil
        scores[index].reason =
          "Edges of an importance below \(threshold) are left out, and what they carry with them."
      }
    }
    return scores
  }

  /// The routes to one position's result.
  ///
  /// - Parameters:
  ///   - ids: The text.
  ///   - position: Whose result.
  ///   - model: A model whose blocks' attention is known to be a sum.
  /// - Returns: The edges that are reached, and what arrives at each token.
  /// - Throws: `AttributionError` for another model, a position that the text has not, and a threshold that is
  ///   no share; `ModelError` for a text that the model cannot run; `EngineError` when memory runs out.
  /// - Complexity: One forward pass, whose patterns are kept, and for each node that is reached heads · tokens ·
  ///   width operations.
  public func routes(
    of ids: [Int], to position: Int, in model: any LanguageModel
  ) throws -> Routes {
    try requirePosition(position, of: ids)
    guard (0..<1).contains(threshold) else {
      throw AttributionError(
        .usage, "The threshold is \(threshold); give a number from 0 to below 1.")
    }
    let branches = try model.attentionBranches()
    let layers = branches.indices
    let sites = layers.flatMap {
      AttentionVectors.sites($0) + [.feedForward($0, .output), .residual($0, .after)]
        + (model.sites.contains(.residual($0, .middle)) ? [.residual($0, .middle)] : [])
    }
    return try withRecording(false) {
      let run = try model.run([ids], capturing: Set(sites))
      return try withEngineErrors {
        var walk = Walk(threshold, ids.count, from: layers.count - 1, position)
        for layer in layers.reversed() {
          try walk.descend(layer, branches[layer], run.activations)
        }
        return walk.routes
      }
    }
  }
}

/// A walk from a prediction down.
private struct Walk {
  typealias Node = InformationFlowRoutes.Node
  typealias Term = (way: InformationFlowRoutes.Way, position: Int, importance: Double)

  private let threshold: Double
  private let count: Int
  private(set) var routes: InformationFlowRoutes.Routes
  /// What arrived where the walk stands, by token; absent where no edge leads.
  private var arrived: [Int: Double]

  init(_ threshold: Double, _ count: Int, from layer: Int, _ position: Int) {
    self.threshold = threshold
    self.count = count
    arrived = [position: 1]
    routes = InformationFlowRoutes.Routes(
      root: Node(layer: layer, isMiddle: false, position: position), edges: [], tokens: [],
      shares: [])
  }

  /// Goes from after a block to before it.
  mutating func descend(
    _ layer: Int, _ branches: BlockBranches, _ run: Activations
  ) throws {
    let vectors = AttentionVectors(branches, layer) { run[$0] }
    func wide(_ site: Site) -> Tensor {
      run[site].reshaped([count, -1]).to(.float64, on: .cpu)
    }
    let fed = wide(.feedForward(layer, .output))
    let start = Node(layer: layer, isMiddle: false, position: 0)
    let end = Node(layer: layer - 1, isMiddle: false, position: 0)
    if run.sites.contains(.residual(layer, .middle)) {
      let middle = wide(.residual(layer, .middle))
      // Both terms pass the norm of a post-norm block, at the scales of their sum.
      let norm = branches.norms.map { NormMap($0.feedForward.wide, at: middle + fed) }
      let (stream, added) = (norm?(middle) ?? middle, norm?(fed) ?? fed)
      let between = Node(layer: layer, isMiddle: true, position: 0)
      try step(from: start, to: between) { token in
        let pieces = Tensor.concatenating(
          [Self.row(stream, token), Self.row(added, token)], along: 0)
        let found = try Self.importances(pieces, of: Self.row(stream + added, token))
        return [(.residual, token, found[0]), (.feedForward, token, found[1])]
      }
      try step(from: between, to: end) { token in
        try Self.attentionTerms(token, vectors, nil, whole: Self.row(vectors.after, token))
      }
    } else {
      try step(from: start, to: end) { token in
        try Self.attentionTerms(
          token, vectors, Self.row(fed, token), whole: Self.row(vectors.after + fed, token))
      }
    }
    routes.shares.insert((0..<count).map { arrived[$0] ?? 0 }, at: 0)
    routes.tokens = routes.shares[0]
  }

  private static func row(_ x: Tensor, _ token: Int) -> Tensor {
    x.slice(token..<token + 1, along: 0)
  }

  /// The terms of a sum that has what heads bring from all tokens.
  private static func attentionTerms(
    _ token: Int, _ vectors: AttentionVectors, _ fed: Tensor?, whole: Tensor
  ) throws -> [Term] {
    let width = whole.size(1)
    let count = vectors.count
    // [head, key, 1] · [head, key, width], then keys as rows that all have this query's scale.
    let weights = vectors.pattern.slice(token..<token + 1, along: 1).transposed(1, 2)
    let brought = vectors.way.at(token)(weights * vectors.values)
      .reshaped([vectors.heads * count, width])
    let pieces = Tensor.concatenating(
      [row(vectors.stream, token), brought] + (fed.map { [$0] } ?? []), along: 0)
    let found = try importances(pieces, of: whole)
    var terms: [Term] = [(.residual, token, found[0])]
    for head in 0..<vectors.heads {
      for source in 0..<count {
        terms.append((.head(head), source, found[1 + head * count + source]))
      }
    }
    if fed != nil { terms.append((.feedForward, token, found[found.count - 1])) }
    return terms
  }

  /// The importances of pieces [rows, width] of a whole [1, width].
  private static func importances(_ pieces: Tensor, of whole: Tensor) throws -> [Double] {
    func length(_ x: Tensor) -> Tensor { (x.relu + (-x).relu).sum(along: 1) }
    let size = try length(whole).scalar()
    let near = try length(whole - pieces).values().map { max(0, size - $0) }
    let sum = near.reduce(0, +)
    return sum > 0 ? near.map { $0 / sum } : near
  }

  /// One level: keeps the edges that reach the threshold, and what they hand down.
  private mutating func step(
    from target: Node, to source: Node, _ terms: (Int) throws -> [Term]
  ) throws {
    var next: [Int: Double] = [:]
    for (token, share) in arrived.sorted(by: { $0.key < $1.key }) {
      for (way, position, importance) in try terms(token)
      where importance >= threshold && importance > 0 {
        var (giver, receiver) = (source, target)
        giver.position = position
        receiver.position = token
        routes.edges.append(
          .init(source: giver, target: receiver, way: way, importance: importance))
        next[position, default: 0] += share * importance
      }
    }
    arrived = next
  }
}

extension BranchWay {
  /// The way with the scales of one row, for pieces that are all of that row.
  fileprivate func at(_ row: Int) -> (Tensor) -> Tensor {
    let scale = scale?.slice(row..<row + 1, along: 0)
    return { pieces in
      let made = self.unscaled(pieces)
      return scale.map { made * $0 } ?? made
    }
  }
}
