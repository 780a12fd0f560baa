internal import LanguageModels
internal import Results
internal import Tensors

// The probability tree: each layer's value split over the parts of its update,
//
//     layer = attention + MLP (+ what no block makes);   attention = Σ heads + bias;
//     head = Σ source tokens;   MLP = Σ neurons + bias,
//
// by scores ⟨ḡ, Δ⟩ with the path-mean gradient of the segment (`PathGradient`), certified
// (`CertifiedGradient`). What every sum misses is kept beside it.

/// How a prediction's layers are split.
struct PathSplit {
  /// The blocks' parts; nil where no block is looked into.
  var components: Components?
  /// By segment of the path, the blocks whose updates it has.
  var blocks: [Range<Int>]
  /// Parts that no block makes: which segment they belong to, and what they are.
  var extras: [(segment: Int, kind: AttributionNode.Kind)]
  /// By prediction, their vectors: [extras, width], float64.
  var extraVectors: [Tensor]
  /// How many nodes integrals get.
  var rule: IntegralRule
  /// Whether one straight line from the baseline to the end serves all layers.
  var isStraight: Bool

  /// What splitting gives, by prediction and segment, in the order of the path.
  struct Outcome {
    /// The layers' values: as they were on the chain, Σ of the parts on a straight line.
    var shares: [Double]
    /// Empty where no block is looked into.
    var parts: [[AttributionNode]]
    var nodes: [Int]
    var converged: [Bool]
    /// ḡ of every cell: [1, width].
    var gradients: [Tensor]
  }

  /// Splits the segments of some predictions.
  ///
  /// - Parameters:
  ///   - gradient: of one segment per cell, or of one straight line per prediction.
  ///   - predictions: indices of the predictions.
  ///   - shares: the known values of the cells.
  /// - Returns: values, parts, nodes and convergence of every cell.
  /// - Throws: `EngineError` when memory runs out.
  func split(
    _ gradient: any SegmentGradient, predictions: [Int], shares: [Double]
  ) throws -> Outcome {
    let count = blocks.count
    let integrals = predictions.enumerated().flatMap { row, prediction -> [Integral] in
      let known = Array(shares[row * count..<(row + 1) * count])
      if isStraight {
        return [
          Integral(
            prediction: prediction, cells: 0..<count, whole: known.reduce(0, +), total: nil)
        ]
      }
      let total = known.reduce(0) { $0 + abs($1) }
      return known.enumerated().map { segment, value in
        Integral(
          prediction: prediction, cells: segment..<segment + 1, whole: value, total: total)
      }
    }
    let found = try rule.scores(
      integrals, gradient, most: gradient.isWide ? IntegralRule.most : IntegralRule.mostNarrow,
      longest: longest, score: scores)
    let perPrediction = isStraight ? 1 : count
    func at(_ row: Int, _ segment: Int) -> CertifiedScores {
      found[row * perPrediction + (isStraight ? 0 : segment)]
    }
    func cell(_ row: Int, _ segment: Int) -> CellScores {
      at(row, segment).cells[isStraight ? segment : 0]
    }
    let rows = predictions.indices
    var trees = rows.map { row in
      (0..<count).map { nodes(cell(row, $0), segment: $0) }
    }
    try addSources(to: &trees, predictions: predictions) { at($0, $1).gradient }
    let cells = rows.flatMap { row in (0..<count).map { (row, $0) } }
    return Outcome(
      shares: isStraight ? cells.map { cell($0.0, $0.1).total } : shares,
      parts: components == nil ? [] : cells.map { trees[$0.0][$0.1] },
      nodes: cells.map { at($0.0, $0.1).nodes },
      converged: cells.compactMap { at($0.0, $0.1).converged },
      gradients: cells.map { at($0.0, $0.1).gradient })
  }

  /// Scores of the parts that some integrals cover.
  func scores(_ integrals: [Integral], _ gradients: Tensor) throws -> [[CellScores]] {
    var byBlock: [Int: [BlockScores?]] = [:]
    for layer in components == nil ? [] : blocks.flatMap(\.self) {
      let rows = integrals.indices.filter { index in
        integrals[index].cells.contains { blocks[$0].contains(layer) }
      }
      guard !rows.isEmpty else { continue }
      let found =
        try components?.scores(
          of: layer, rows.map { integrals[$0].prediction }, gradients.selecting(rows, along: 0))
        ?? []
      var column = [BlockScores?](repeating: nil, count: integrals.count)
      for (row, scores) in zip(rows, found) { column[row] = scores }
      byBlock[layer] = column
    }
    let products = try integrals.enumerated().map { row, integral -> [Double] in
      guard !extras.isEmpty else { return [] }
      return try
        (extraVectors[integral.prediction]
        * gradients.slice(row..<row + 1, along: 0)).sum(along: 1).values()
    }
    return integrals.enumerated().map { row, integral in
      integral.cells.map { segment in
        CellScores(
          extras: zip(extras, products[row]).filter { $0.0.segment == segment }.map(\.1),
          blocks: blocks[segment].compactMap { byBlock[$0]?[row] })
      }
    }
  }

  /// The largest norm of any part's vector, by integral.
  func longest(_ integrals: [Integral]) throws -> [Double] {
    var found = try integrals.map { integral -> [Double] in
      guard !extras.isEmpty else { return [] }
      let vectors = extraVectors[integral.prediction]
      return try (vectors * vectors).sum(along: 1).values()
    }.map { $0.max() ?? 0 }
    for layer in components == nil ? [] : Set(blocks.flatMap(\.self)).sorted() {
      let rows = integrals.indices.filter { index in
        integrals[index].cells.contains { blocks[$0].contains(layer) }
      }
      guard !rows.isEmpty else { continue }
      let squares = try components?.squares(of: layer, rows.map { integrals[$0].prediction }) ?? []
      for (row, square) in zip(rows, squares) { found[row] = max(found[row], square) }
    }
    return found.map { $0.squareRoot() }
  }

  // MARK: - Nodes

  /// One cell's parts as nodes, without source tokens.
  func nodes(_ cell: CellScores, segment: Int) -> [AttributionNode] {
    guard components != nil else { return [] }
    let kinds = extras.filter { $0.segment == segment }.map(\.kind)
    let last = blocks[segment].last ?? -1
    var nodes = zip(kinds, cell.extras).map { kind, value in
      AttributionNode(kind: kind, layer: kind == .embedding ? -1 : last, value: value)
    }
    for block in cell.blocks {
      if let mixer = block.mixer {
        nodes.append(AttributionNode(kind: .mixer, layer: block.layer, value: mixer))
        continue
      }
      nodes.append(
        sum(.attention, block.layer, block.attention, of: heads(block)))
      nodes.append(
        sum(
          .mlp, block.layer, block.mlp,
          of: block.experts.isEmpty ? neurons(block) : experts(block)))
      if let residual = block.residual {
        nodes.append(AttributionNode(kind: .residual, layer: block.layer, value: residual))
      }
    }
    return nodes
  }

  private func sum(
    _ kind: AttributionNode.Kind, _ layer: Int, _ value: Double, of children: [AttributionNode]
  ) -> AttributionNode {
    guard !children.isEmpty else { return AttributionNode(kind: kind, layer: layer, value: value) }
    return AttributionNode(
      kind: kind, layer: layer, value: value,
      residual: value - children.reduce(0) { $0 + $1.value }, children: children)
  }

  private func heads(_ block: BlockScores) -> [AttributionNode] {
    guard !block.heads.isEmpty else { return [] }
    let heads = block.heads.enumerated().map { head, value in
      AttributionNode(kind: .head, layer: block.layer, head: head, value: value)
    }
    return heads + bias(block.attentionBias, block.layer)
  }

  private func experts(_ block: BlockScores) -> [AttributionNode] {
    block.experts.enumerated().map { expert, value in
      AttributionNode(kind: .expert, layer: block.layer, expert: expert, value: value)
    }
  }

  private func neurons(_ block: BlockScores) -> [AttributionNode] {
    let scores = block.neurons
    let shown: [Int]
    switch components?.neurons ?? .none {
    case .none: return []
    case .all: shown = Array(scores.indices)
    case .largest(let count):
      shown = Array(
        scores.indices.sorted { (abs(scores[$0]), $1) > (abs(scores[$1]), $0) }.prefix(count))
    }
    var nodes = shown.map {
      AttributionNode(kind: .neuron, layer: block.layer, neuron: $0, value: scores[$0])
    }
    if shown.count < scores.count {
      let listed = Set(shown)
      let rest = scores.indices.reduce(0) { listed.contains($1) ? $0 : $0 + scores[$1] }
      nodes.append(AttributionNode(kind: .others, layer: block.layer, value: rest))
    }
    return nodes + bias(block.mlpBias, block.layer)
  }

  private func bias(_ value: Double?, _ layer: Int) -> [AttributionNode] {
    value.map { [AttributionNode(kind: .bias, layer: layer, value: $0)] } ?? []
  }

  /// Adds what each head carried from each source token to nodes made without.
  ///
  /// - Parameters:
  ///   - trees: [prediction][segment] nodes.
  ///   - predictions: their indices.
  ///   - gradient: ḡ of a prediction's segment: [1, width].
  /// - Throws: `EngineError` when memory runs out.
  func addSources(
    to trees: inout [[[AttributionNode]]], predictions: [Int],
    gradient: (_ row: Int, _ segment: Int) -> Tensor
  ) throws {
    guard let components, components.depth == .token else { return }
    for (segment, blocks) in blocks.enumerated() {
      let gradients = Tensor.concatenating(
        predictions.indices.map { gradient($0, segment) }, along: 0)
      for layer in blocks {
        let sources = try components.sources(of: layer, predictions, gradients)
        for row in predictions.indices {
          guard
            let place = trees[row][segment].firstIndex(where: {
              $0.kind == .attention && $0.layer == layer
            })
          else { continue }
          for (child, node) in (trees[row][segment][place].children ?? []).enumerated() {
            guard let head = node.head else { continue }
            let children = sources[row][head].enumerated().map { source, value in
              AttributionNode(
                kind: .source, layer: layer, head: head, source: source, value: value)
            }
            trees[row][segment][place].children?[child] = AttributionNode(
              kind: .head, layer: layer, head: head, value: node.value,
              residual: node.value - children.reduce(0) { $0 + $1.value }, children: children)
          }
        }
      }
    }
  }
}
