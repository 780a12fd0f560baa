internal import LanguageModels
internal import Tensors

// What the parts of a segment's update score.
//
// The update of a segment over blocks is a sum: for each block its attention and its MLP, and parts
// that no block makes (the embedding less the baseline, a lens's translators, a mean completion).
// With ḡ the segment's path-mean gradient each part Δ scores ⟨ḡ, Δ⟩. A branch D (W c + b) is a sum
// over the columns of W, so with g = Wᵀ Dᵀ ḡ
//
//     head h:    Σ over its columns of g ∘ c          neuron n:   g_n c_n
//     source s of head h:   α_hs · ⟨g_h, v_s⟩          bias:       ⟨Dᵀ ḡ, b⟩ (+ ⟨ḡ, β⟩)
//
// and no part's own vector is ever formed. A mixture's experts score ⟨ḡ, Δ_e⟩; a state-space mixer is one
// part. In a post-norm block r′ = D₂(D₁(z + o) + β₁ + m) + β₂, with D₁ and D₂ the norms at the run's own
// scales, the branches' gradients are D₁ᵀD₂ᵀḡ and D₂ᵀḡ, and what remains is the part `residual`,
//
//     ⟨D₁ᵀD₂ᵀḡ − ḡ, z⟩ + ⟨D₂ᵀḡ, β₁⟩ + ⟨ḡ, β₂⟩.

/// How far down a layer's value is split.
public enum Depth: String, Sendable, CaseIterable, Comparable {
  /// Layers alone.
  case layer
  /// Attention and feed-forward network.
  case block
  /// Heads.
  case head
  /// What each head carried from each source token.
  case token

  /// Deeper is more.
  public static func < (a: Depth, b: Depth) -> Bool {
    (allCases.firstIndex(of: a) ?? 0) < (allCases.firstIndex(of: b) ?? 0)
  }
}

/// Which neurons of each feed-forward network are listed.
public enum NeuronChoice: Sendable, Equatable {
  /// None.
  case none
  /// This many, the largest by |score|.
  case largest(Int)
  /// All.
  case all
}

/// Scores of one block's parts for one prediction.
struct BlockScores {
  var layer: Int
  var attention: Double
  var mlp: Double
  var heads: [Double] = []
  var attentionBias: Double?
  var neurons: [Double] = []
  var mlpBias: Double?
  var experts: [Double] = []
  /// What a post-norm block's norms make of the stream itself.
  var residual: Double?
  /// All that a state-space block adds; attention and MLP are then 0.
  var mixer: Double?

  fileprivate var singles: [Double] {
    [attentionBias ?? 0, mlpBias ?? 0, residual ?? 0, mixer ?? 0]
  }

  /// Σ of the parts of the first level.
  var total: Double { attention + mlp + (residual ?? 0) + (mixer ?? 0) }
}

/// Scores of all parts of one cell: one prediction's segment.
struct CellScores {
  /// Parts that no block makes, in the order of the segment's `extras`.
  var extras: [Double]
  var blocks: [BlockScores]

  /// Σ of the parts of the first level.
  var total: Double {
    extras.reduce(0, +) + blocks.reduce(0) { $0 + $1.total }
  }

  /// The largest difference of any part.
  func distance(to other: CellScores) -> Double {
    func largest(_ a: [Double], _ b: [Double]) -> Double {
      zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
    }
    return zip(blocks, other.blocks).reduce(largest(extras, other.extras)) { most, pair in
      let (a, b) = pair
      return max(
        most, abs(a.attention - b.attention), abs(a.mlp - b.mlp), largest(a.heads, b.heads),
        largest(a.neurons, b.neurons), largest(a.experts, b.experts),
        largest(a.singles, b.singles))
    }
  }
}

/// What the blocks of one text did at the explained positions.
struct Components {
  let model: any LanguageModel
  let trace: ResidualTrace
  let depth: Depth
  let neurons: NeuronChoice
  private let rules: [BlockRule]

  /// Prepares the parts of a traced text.
  ///
  /// - Throws: `AttributionError` for a block without a rule.
  init(
    _ model: any LanguageModel, _ trace: ResidualTrace, depth: Depth, neurons: NeuronChoice
  ) throws {
    self.model = model
    self.trace = trace
    self.depth = depth
    self.neurons = neurons
    rules = try Self.rules(of: model)
  }

  private static func rules(of model: any LanguageModel) throws -> [BlockRule] {
    try (0..<model.shape.layers).map { layer in
      guard let rule = model.rule(of: layer) else {
        throw AttributionError.noRule(model.shape.architecture, layer: layer)
      }
      return rule
    }
  }

  /// What a trace must keep for this depth.
  ///
  /// - Throws: `AttributionError` for a block without a rule.
  static func sites(
    of model: any LanguageModel, depth: Depth, neurons: NeuronChoice
  ) throws -> (rows: Set<Site>, whole: Set<Site>) {
    guard depth != .layer || neurons != .none else { return ([], []) }
    var (rows, whole): (Set<Site>, Set<Site>) = ([.embedding], [])
    let rules = try rules(of: model)
    let goesToHeads = depth >= .head
    if goesToHeads && !model.hasHeads { throw AttributionError.noHeads(model.shape.architecture) }
    for (layer, rule) in rules.enumerated() {
      guard case .branches(let branches) = rule else {
        rows.formUnion([.residual(layer, .before), .residual(layer, .after)])
        continue
      }
      if branches.norms != nil {
        rows.formUnion([.residual(layer, .before), .residual(layer, .middle)])
      }
      rows.formUnion([.attention(layer, .output), .feedForward(layer, .output)])
      if goesToHeads { rows.insert(.attention(layer, .heads)) }
      if depth == .token {
        rows.insert(.attention(layer, .pattern))
        whole.insert(.attention(layer, .value))
      }
      if neurons != .none {
        rows.insert(.feedForward(layer, branches.feedForward == nil ? .experts : .hidden))
      }
    }
    return (rows, whole)
  }

  private var splitsHeads: Bool { depth == .head || depth == .token }
  private var splitsNeurons: Bool { neurons != .none }

  private func row(_ site: Site, _ predictions: [Int]) -> Tensor {
    guard let value = trace.rows[site] else { preconditionFailure("\(site) was not traced") }
    return value.selecting(predictions, along: 0)
  }

  /// A post-norm block's norms at the scales that the run had; nil for other blocks.
  private func postNorms(
    _ branches: BlockBranches, _ layer: Int, _ predictions: [Int]
  ) -> (attention: NormMap, feedForward: NormMap)? {
    guard let norms = branches.norms else { return nil }
    func wide(_ site: Site) -> Tensor { row(site, predictions).to(.float64, on: .cpu) }
    let attended = wide(.residual(layer, .before)) + wide(.attention(layer, .output))
    let fed = wide(.residual(layer, .middle)) + wide(.feedForward(layer, .output))
    return (
      NormMap(norms.attention.wide, at: attended), NormMap(norms.feedForward.wide, at: fed)
    )
  }

  /// Scores of one block for some predictions, with the gradients of their segments.
  ///
  /// - Parameters:
  ///   - layer: the block.
  ///   - predictions: indices of explained positions.
  ///   - gradients: ḡ: [predictions, width], float64.
  /// - Returns: one per prediction.
  /// - Throws: `EngineError` when memory runs out.
  /// - Complexity: no model run; one product of the gradients with each output projection.
  func scores(
    of layer: Int, _ predictions: [Int], _ gradients: Tensor
  ) throws -> [BlockScores] {
    func wide(_ site: Site) -> Tensor { row(site, predictions).to(.float64, on: .cpu) }
    func product(_ value: Tensor, _ gradients: Tensor) throws -> [Double] {
      try (value * gradients).sum(along: 1).values()
    }
    guard case .branches(let branches) = rules[layer] else {
      let added = wide(.residual(layer, .after)) - wide(.residual(layer, .before))
      return try product(added, gradients).map {
        BlockScores(layer: layer, attention: 0, mlp: 0, mixer: $0)
      }
    }
    // ḡ where each branch ends, before the norms of a post-norm block.
    var (toAttention, toNetwork) = (gradients, gradients)
    var residual: [Double]?
    if let post = postNorms(branches, layer, predictions) {
      toNetwork = post.feedForward.pullBack(gradients)
      toAttention = post.attention.pullBack(toNetwork)
      var left = (wide(.residual(layer, .before)) * (toAttention - gradients)).sum(along: 1)
      for (norm, gradient) in [(post.attention, toNetwork), (post.feedForward, gradients)] {
        if let shift = norm.norm.bias { left = left + (gradient * shift).sum(along: 1) }
      }
      residual = try left.values()
    }
    let attention = try product(wide(.attention(layer, .output)), toAttention)
    let mlp = try product(wide(.feedForward(layer, .output)), toNetwork)
    var scores = predictions.indices.map {
      BlockScores(
        layer: layer, attention: attention[$0], mlp: mlp[$0], residual: residual?[$0])
    }
    if splitsHeads {
      let mixes = row(.attention(layer, .heads), predictions)
      let out = BranchWay(branches.attention, at: mixes, post: []).backward(toAttention)
      let heads = model.shape.heads
      let products = (out.inputs * mixes.to(out.inputs.type))
        .reshaped([predictions.count, heads, -1]).to(.float64, on: .cpu).sum(along: 2)
      let values = try products.values()
      let biases = try out.bias?.values()
      for index in scores.indices {
        scores[index].heads = Array(values[index * heads..<(index + 1) * heads])
        scores[index].attentionBias = biases?[index]
      }
    }
    guard splitsNeurons else { return scores }
    if let branch = branches.feedForward {
      let hidden = row(.feedForward(layer, .hidden), predictions)
      let out = BranchWay(branch, at: hidden, post: []).backward(toNetwork)
      let values = try (out.inputs * hidden.to(out.inputs.type)).values()
      let biases = try out.bias?.values()
      let count = hidden.size(1)
      for index in scores.indices {
        scores[index].neurons = Array(values[index * count..<(index + 1) * count])
        scores[index].mlpBias = biases?[index]
      }
    } else {
      // [predictions, experts, width]
      let added = wide(.feedForward(layer, .experts))
        .reshaped([predictions.count, -1, model.shape.width])
      let values = try (added * toNetwork.reshaped([predictions.count, 1, -1]))
        .sum(along: 2).values()
      let count = added.size(1)
      for index in scores.indices {
        scores[index].experts = Array(values[index * count..<(index + 1) * count])
      }
    }
    return scores
  }

  /// The largest squared norm of a block's parts, by prediction.
  func squares(of layer: Int, _ predictions: [Int]) throws -> [Double] {
    func largest(_ a: Tensor, _ b: [Double]) throws -> [Double] {
      try zip(a.values(), b).map { max($0, $1) }
    }
    func square(_ vectors: Tensor) -> Tensor { (vectors * vectors).sum(along: -1) }
    var found = [Double](repeating: 0, count: predictions.count)
    guard case .branches(let branches) = rules[layer] else {
      return try largest(
        square(
          row(.residual(layer, .after), predictions)
            - row(.residual(layer, .before), predictions)), found)
    }
    let norms = postNorms(branches, layer, predictions)
    let toNetwork = norms.map { [$0.feedForward] } ?? []
    let toAttention = norms.map { [$0.attention, $0.feedForward] } ?? []
    for (site, post) in [
      (Site.attention(layer, .output), toAttention), (.feedForward(layer, .output), toNetwork),
    ] {
      found = try largest(square(post.reduce(row(site, predictions)) { $1($0) }), found)
    }
    if let norms {
      // D₂(D₁ z + β₁) + β₂ − z
      let before = row(.residual(layer, .before), predictions).to(.float64, on: .cpu)
      var arrived = norms.attention(before)
      if let shift = norms.attention.norm.bias { arrived = arrived + shift }
      arrived = norms.feedForward(arrived) - before
      if let shift = norms.feedForward.norm.bias { arrived = arrived + shift }
      found = try largest(square(arrived), found)
    }
    if splitsHeads {
      let branch = branches.attention
      let mixes = row(.attention(layer, .heads), predictions)
      let way = BranchWay(branch, at: mixes, post: toAttention)
      let heads = model.shape.heads
      // [head, prediction, width]: each head through its columns of W_O.
      let weight = branch.output.weight.transposed(0, 1)
        .reshaped([heads, -1, model.shape.width])
      let made = way(
        mixes.reshaped([predictions.count, heads, -1]).transposed(0, 1).matmul(weight))
      for head in 0..<heads {
        found = try largest(
          square(made.slice(head..<head + 1, along: 0)).reshaped([predictions.count]), found)
      }
      found = try zip(found, way.biasSquares(rows: found.count)).map { max($0, $1) }
    }
    guard splitsNeurons else { return found }
    if let branch = branches.feedForward {
      let hidden = row(.feedForward(layer, .hidden), predictions)
      let way = BranchWay(branch, at: hidden, post: toNetwork)
      let columns = square(way.unscaled(branch.output.weight.transposed(0, 1)))
      let count = hidden.size(1)
      let scaled = way.scale.map { hidden * $0 } ?? hidden
      let values = try (scaled * scaled * columns).values()
      for index in found.indices {
        found[index] = max(found[index], values[index * count..<(index + 1) * count].max() ?? 0)
      }
      found = try zip(found, way.biasSquares(rows: found.count)).map { max($0, $1) }
    } else {
      let added = row(.feedForward(layer, .experts), predictions)
        .reshaped([predictions.count, -1, model.shape.width])
      for expert in 0..<added.size(1) {
        let one = added.slice(expert..<expert + 1, along: 1)
          .reshaped([predictions.count, model.shape.width])
        found = try largest(square(toNetwork.reduce(one) { $1($0) }), found)
      }
    }
    return found
  }

  /// What each head of a block carried from each source token: [prediction][head][source].
  func sources(
    of layer: Int, _ predictions: [Int], _ gradients: Tensor
  ) throws -> [[[Double]]] {
    guard depth == .token, let patterns = trace.patterns[layer],
      let values = trace.whole[.attention(layer, .value)],
      case .branches(let branches) = rules[layer]
    else { return [] }
    let shape = model.shape
    let mixes = row(.attention(layer, .heads), predictions)
    let reach =
      postNorms(branches, layer, predictions).map {
        $0.attention.pullBack($0.feedForward.pullBack(gradients))
      } ?? gradients
    let pulled = BranchWay(branches.attention, at: mixes, post: []).backward(reach).inputs
      .to(.float64, on: .cpu)
    let group = shape.heads / shape.keyValueHeads
    // [key-value heads, headWidth, position]
    let carried = values.to(.float64, on: .cpu)
      .reshaped([-1, shape.keyValueHeads, shape.headWidth]).transposed(0, 1).transposed(1, 2)
    return try predictions.enumerated().map { index, prediction in
      let pattern = patterns[prediction].to(.float64, on: .cpu)
      let sources =
        model.isCausal ? min(pattern.size(1), trace.positions[prediction] + 1) : pattern.size(1)
      let carrying = pulled.slice(index..<index + 1, along: 0)
        .reshaped([shape.keyValueHeads, group, shape.headWidth])
        .matmul(carried.slice(0..<sources, along: 2)).reshaped([shape.heads, sources])
      let scores = try (carrying * pattern.slice(0..<sources, along: 1)).values()
      return (0..<shape.heads).map { Array(scores[$0 * sources..<($0 + 1) * sources]) }
    }
  }
}
