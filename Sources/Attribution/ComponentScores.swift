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
// and no part's own vector is ever formed.

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
}

/// Scores of all parts of one cell: one prediction's segment.
struct CellScores {
  /// Parts that no block makes, in the order of the segment's `extras`.
  var extras: [Double]
  var blocks: [BlockScores]

  /// Σ of the parts of the first level.
  var total: Double {
    extras.reduce(0, +) + blocks.reduce(0) { $0 + $1.attention + $1.mlp }
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
        largest(a.neurons, b.neurons),
        largest(
          [a.attentionBias ?? 0, a.mlpBias ?? 0], [b.attentionBias ?? 0, b.mlpBias ?? 0]))
    }
  }
}

/// What the blocks of one text did at the explained positions.
struct Components {
  let model: any LanguageModel
  let trace: ResidualTrace
  let depth: Depth
  let neurons: NeuronChoice
  private let branches: [BlockBranches]

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
    branches = try Self.rules(of: model)
  }

  private static func rules(of model: any LanguageModel) throws -> [BlockBranches] {
    try (0..<model.shape.layers).map { layer in
      guard let branches = model.branches(of: layer) else {
        throw AttributionError.noRule(model.shape.architecture, layer: layer)
      }
      return branches
    }
  }

  /// What a trace must keep for this depth.
  ///
  /// - Throws: `AttributionError` for a block without a rule.
  static func sites(
    of model: any LanguageModel, depth: Depth, neurons: NeuronChoice
  ) throws -> (rows: Set<Site>, whole: Set<Site>) {
    guard depth != .layer || neurons != .none else { return ([], []) }
    _ = try rules(of: model)
    var (rows, whole): (Set<Site>, Set<Site>) = ([.embedding], [])
    for layer in 0..<model.shape.layers {
      rows.formUnion([.attention(layer, .output), .feedForward(layer, .output)])
      if depth == .head || depth == .token { rows.insert(.attention(layer, .heads)) }
      if depth == .token {
        rows.insert(.attention(layer, .pattern))
        whole.insert(.attention(layer, .value))
      }
      if neurons != .none { rows.insert(.feedForward(layer, .hidden)) }
    }
    return (rows, whole)
  }

  private var splitsHeads: Bool { depth == .head || depth == .token }
  private var splitsNeurons: Bool { neurons != .none }

  private func row(_ site: Site, _ predictions: [Int]) -> Tensor {
    guard let value = trace.rows[site] else { preconditionFailure("\(site) was not traced") }
    return value.selecting(predictions, along: 0)
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
    func product(_ site: Site) throws -> [Double] {
      try (row(site, predictions).to(.float64, on: .cpu) * gradients).sum(along: 1).values()
    }
    let attention = try product(.attention(layer, .output))
    let mlp = try product(.feedForward(layer, .output))
    var scores = predictions.indices.map {
      BlockScores(layer: layer, attention: attention[$0], mlp: mlp[$0])
    }
    if splitsHeads {
      let mixes = row(.attention(layer, .heads), predictions)
      let out = branches[layer].attention.backward(gradients, through: mixes)
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
    if splitsNeurons {
      let hidden = row(.feedForward(layer, .hidden), predictions)
      let out = branches[layer].feedForward.backward(gradients, through: hidden)
      let values = try (out.inputs * hidden.to(out.inputs.type)).values()
      let biases = try out.bias?.values()
      let count = hidden.size(1)
      for index in scores.indices {
        scores[index].neurons = Array(values[index * count..<(index + 1) * count])
        scores[index].mlpBias = biases?[index]
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
    for site in [Site.attention(layer, .output), .feedForward(layer, .output)] {
      found = try largest(square(row(site, predictions)), found)
    }
    if splitsHeads {
      let branch = branches[layer].attention
      let mixes = row(.attention(layer, .heads), predictions)
      let heads = model.shape.heads
      let scale = branch.scale(through: mixes)
      // [head, prediction, width]: each head through its columns of W_O.
      let weight = branch.output.weight.transposed(0, 1)
        .reshaped([heads, -1, model.shape.width])
      let made = branch.normed(
        mixes.reshaped([predictions.count, heads, -1]).transposed(0, 1).matmul(weight), scale)
      for head in 0..<heads {
        found = try largest(
          square(made.slice(head..<head + 1, along: 0)).reshaped([predictions.count]), found)
      }
      found = try zip(found, branch.biasSquares(scale, rows: found.count)).map { max($0, $1) }
    }
    if splitsNeurons {
      let branch = branches[layer].feedForward
      let hidden = row(.feedForward(layer, .hidden), predictions)
      let scale = branch.scale(through: hidden)
      let columns = square(branch.normed(branch.output.weight.transposed(0, 1), nil))
      let count = hidden.size(1)
      let scaled = scale.map { hidden * $0 } ?? hidden
      let values = try (scaled * scaled * columns).values()
      for index in found.indices {
        found[index] = max(found[index], values[index * count..<(index + 1) * count].max() ?? 0)
      }
      found = try zip(found, branch.biasSquares(scale, rows: found.count)).map { max($0, $1) }
    }
    return found
  }

  /// What each head of a block carried from each source token: [prediction][head][source].
  func sources(
    of layer: Int, _ predictions: [Int], _ gradients: Tensor
  ) throws -> [[[Double]]] {
    guard depth == .token, let patterns = trace.patterns[layer],
      let values = trace.whole[.attention(layer, .value)]
    else { return [] }
    let shape = model.shape
    let mixes = row(.attention(layer, .heads), predictions)
    let pulled = branches[layer].attention.backward(gradients, through: mixes).inputs
      .to(.float64, on: .cpu)
    let group = shape.heads / shape.keyValueHeads
    // [key-value heads, headWidth, position]
    let carried = values.to(.float64, on: .cpu)
      .reshaped([-1, shape.keyValueHeads, shape.headWidth]).transposed(0, 1).transposed(1, 2)
    return try predictions.enumerated().map { index, prediction in
      let pattern = patterns[prediction].to(.float64, on: .cpu)
      let sources = min(pattern.size(1), trace.positions[prediction] + 1)
      let reach = pulled.slice(index..<index + 1, along: 0)
        .reshaped([shape.keyValueHeads, group, shape.headWidth])
        .matmul(carried.slice(0..<sources, along: 2)).reshaped([shape.heads, sources])
      let scores = try (reach * pattern.slice(0..<sources, along: 1)).values()
      return (0..<shape.heads).map { Array(scores[$0 * sources..<($0 + 1) * sources]) }
    }
  }
}

extension Branch {
  /// The gradients of a branch's inputs c, and what its biases score.
  ///
  /// - Parameters:
  ///   - gradients: ḡ: [rows, width], float64.
  ///   - inputs: c: [rows, inputs], which set the scale of a norm after the projection.
  /// - Returns: Wᵀ Dᵀ ḡ: [rows, inputs], and ⟨Dᵀ ḡ, b⟩ + ⟨ḡ, β⟩: [rows], nil without biases.
  func backward(_ gradients: Tensor, through inputs: Tensor) -> (inputs: Tensor, bias: Tensor?) {
    let weight = output.weight
    let type: ScalarType = weight.type == .float64 ? .float64 : .float32
    var pulled = gradients.to(type, on: weight.device)
    var biases: [Tensor] = []
    if let norm {
      if let shift = norm.bias { biases.append((pulled * shift.to(type)).sum(along: 1)) }
      // Dᵀ = P diag(γ) / ρ
      pulled = pulled * norm.weight.to(type)
      if let scale = scale(through: inputs) { pulled = pulled * scale }
      if norm.kind == .layer {
        pulled = pulled - pulled.mean(along: 1, keepingDimension: true)
      }
    }
    if let bias = output.bias { biases.append((pulled * bias.to(type)).sum(along: 1)) }
    let bias = biases.dropFirst().reduce(biases.first) { sum, next in sum.map { $0 + next } }
    return (pulled.linear(weight.to(type).transposed(0, 1)), bias)
  }

  // The norm as a linear map at the run's own scale: D = diag(γ) P / ρ.

  /// 1/ρ: [rows, 1]; nil without a norm.
  func scale(through inputs: Tensor) -> Tensor? {
    guard let norm else { return nil }
    let type: ScalarType = output.weight.type == .float64 ? .float64 : .float32
    let raw = output(inputs).to(type)
    let centred = norm.kind == .layer ? raw - raw.mean(along: 1, keepingDimension: true) : raw
    return ((centred * centred).mean(along: 1, keepingDimension: true) + norm.epsilon)
      .reciprocalSquareRoot
  }

  /// D of pieces [..., width]; without a scale, D ρ.
  func normed(_ pieces: Tensor, _ scale: Tensor?) -> Tensor {
    guard let norm else { return pieces }
    let centred =
      norm.kind == .layer ? pieces - pieces.mean(along: -1, keepingDimension: true) : pieces
    let weighed = centred * norm.weight
    return scale.map { weighed * $0 } ?? weighed
  }

  /// The squared norm of D b + β for each of so many rows.
  func biasSquares(_ scale: Tensor?, rows: Int) throws -> [Double] {
    let width = output.weight.size(0)
    var bias = output.bias.map { normed($0.reshaped([1, width]), scale) }
    if let shift = norm?.bias?.reshaped([1, width]) { bias = bias.map { $0 + shift } ?? shift }
    guard let bias else { return Array(repeating: 0, count: rows) }
    let squares = try (bias * bias).sum(along: 1).values()
    return squares.count == rows ? squares : Array(repeating: squares[0], count: rows)
  }
}
