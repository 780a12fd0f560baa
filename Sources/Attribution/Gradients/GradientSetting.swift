public import LanguageModels
internal import Tensors

/// Texts of one length with the number that is attributed: what every gradient method works on.
public struct GradientSetting {
  /// Where paths start, and what values are compared with.
  public enum Start: Sendable, Equatable {
    /// The zero vector.
    case zero
    /// The mean of the text's embeddings.
    case mean
    /// Other texts of as many tokens.
    case contrast([[Int]])
    /// One token in every place.
    case token(Int)

    /// The name in results.
    public var name: String {
      switch self {
      case .zero: "zero"
      case .mean: "mean"
      case .contrast: "contrast"
      case .token: "token"
      }
    }
  }

  /// The model.
  public let model: any BlockwiseModel
  /// The texts.
  public let ids: [[Int]]
  /// m.
  public let metric: Metric
  /// Where paths start.
  public let start: Start
  /// The texts' embeddings: [batch, position, width].
  let embedding: Tensor
  /// What stands for them where paths start: [batch, position, width].
  let startEmbedding: Tensor
  let positions: Positions
  /// Positions before the first that moves; the metric's is never one of them.
  let still: Int
  /// The most bytes that runs may take.
  private let memory: Int

  /// Joins texts and metric.
  ///
  /// - Parameters:
  ///   - ids: texts of one length.
  ///   - metric: of each text.
  ///   - start: where paths start.
  ///   - held: positions that do not move: they start as they are.
  ///   - model: the model.
  ///   - memory: the most bytes that runs may take; nil for 2 GB.
  /// - Throws: `ModelError` for a text that the model cannot run, `AttributionError` for a metric or a start that
  ///   does not fit the texts, `EngineError` when memory runs out.
  /// - Complexity: no pass.
  public init(
    _ ids: [[Int]], _ metric: Metric, from start: Start = .zero, holding held: [Int] = [],
    in model: any LanguageModel, memory: Int? = nil
  ) throws {
    guard model.head != nil else { throw ModelError.noHead(model.shape.architecture) }
    guard let blockwise = model as? any BlockwiseModel else {
      throw AttributionError(
        .usage,
        "\(model.shape.architecture) cannot be run from a layer on, so nothing in it can be moved.")
    }
    try model.checkTexts(ids)
    let count = ids[0].count
    guard (0..<count).contains(metric.position) else {
      throw AttributionError(
        .usage,
        "Position \(metric.position) is out of range; the text has positions 0 to \(count - 1).")
    }
    if let wrong = held.first(where: { !(0..<count).contains($0) }) {
      throw AttributionError(
        .usage,
        "Position \(wrong) cannot be held; the text has positions 0 to \(count - 1).")
    }
    let vocabulary = model.shape.vocabulary
    if let wrong = (metric.tokens + metric.versus).first(where: { !(0..<vocabulary).contains($0) })
    {
      throw AttributionError(
        .usage, "Token \(wrong) is out of range; the vocabulary has 0 to \(vocabulary - 1).")
    }
    self.model = blockwise
    self.ids = ids
    self.metric = metric
    self.start = start
    positions = blockwise.positions(0..<count)
    if case .contrast(let others) = start {
      guard others.count == ids.count, others.allSatisfy({ $0.count == count }) else {
        throw AttributionError.unequalTexts(count, others.first { $0.count != count }?.count ?? 0)
      }
      try model.checkTexts(others)
    }
    if case .token(let token) = start { try model.checkTexts([[token]]) }
    let moves: Int? =
      switch start {
      case .zero, .mean: (0..<count).first { !held.contains($0) }
      case .contrast(let others):
        (0..<count).first { place in
          !held.contains(place) && zip(ids, others).contains { $0[place] != $1[place] }
        }
      case .token(let token):
        (0..<count).first { place in
          !held.contains(place) && ids.contains { $0[place] != token }
        }
      }
    still = min(moves ?? metric.position, metric.position)
    func embedded(_ ids: [[Int]]) -> Tensor {
      withRecording(false) { blockwise.embed(ids, from: 0, pass: .plain) }
    }
    (embedding, startEmbedding) = try withEngineErrors {
      let own = embedded(ids)
      var other: Tensor
      switch start {
      case .zero: other = own * 0
      case .mean: other = own.mean(along: 1, keepingDimension: true).expanded(own.shape)
      case .contrast(let others): other = embedded(others)
      case .token(let token): other = embedded(ids.map { $0.map { _ in token } })
      }
      if !held.isEmpty {
        let moves = Tensor(
          (0..<count).map { held.contains($0) ? 0 : 1 }, [1, count, 1], own.type, on: own.device)
        other = own + (other - own) * moves
      }
      return (own, other)
    }
    self.memory = memory ?? 2_000_000_000
  }

  /// The most rows that run together.
  package var rowsAtOnce: Int { rowsAtOnce(running: ids[0].count) }

  /// The most rows that run together of the last tokens of the texts, with keys and values of the others.
  func rowsAtOnce(running count: Int) -> Int {
    // What a recorded block holds of a token: some vectors of the stream, of the heads and of the network; and
    // of one that it only looks at, its key and value, by themselves and beside the new ones.
    let (shape, all) = (model.shape, ids[0].count)
    let own = 16 * shape.width + 6 * shape.hidden + 3 * shape.heads * all
    let held = 4 * shape.keyValueHeads * shape.headWidth + 2 * shape.heads * shape.headWidth
    let each = shape.layers * (count * own + (all - count) * held) * model.type.bytes
    return max(1, min(64, memory / max(1, each)))
  }

  /// Whether there is another text, whose values stand against the text's; otherwise those of sites behind the input
  /// stand against 0.
  public var isPaired: Bool { if case .contrast = start { true } else { false } }

  /// The share of the blocks that a pass runs which begins at a site.
  func share(from site: Site) -> Double {
    1 - Double(site.layer.map { site == .residual($0, .after) ? $0 + 1 : $0 } ?? 0)
      / Double(max(1, model.shape.layers))
  }

  /// The sequences at once.
  var batch: Int { ids.count }

  // MARK: - Functions of a value

  /// m as a function of the embeddings, of all tokens or of those that move.
  func function(_ moving: MovingTokens? = nil) -> PathFunction {
    { [self] x, pass in measured(from: 0, x, moving, pass) }
  }

  /// m as a function of the value at a site, all before it as in a run that had these streams.
  func function(
    of site: Site, streams: [Tensor], _ moving: MovingTokens? = nil
  ) -> PathFunction {
    guard let layer = site.layer else { return function(moving) }
    if case .residual(_, .after) = site {
      return { [self] x, pass in measured(from: layer + 1, x, moving, pass) }
    }
    return { [self] x, pass in
      var inner = pass
      inner.sites.insert(site)
      inner.visit = { seen, value in
        let next = seen == site ? x : value
        return pass.sites.contains(seen) ? pass.visit(seen, next) : next
      }
      let stream = moving?.part(of: streams[layer]) ?? streams[layer]
      let rows = x.size(0) / batch
      let before =
        rows == 1
        ? stream
        : stream.reshaped([1] + stream.shape).expanded([rows] + stream.shape)
          .reshaped([rows * batch] + stream.shape.dropFirst())
      return measured(from: layer, before, moving, inner)
    }
  }

  /// m of a stream that a layer receives.
  private func measured(
    from layer: Int, _ stream: Tensor, _ moving: MovingTokens?, _ pass: Pass
  ) -> Tensor {
    let rows = stream.size(0) / batch
    let residual = model.blocks(
      layer..<model.shape.layers, stream, moving?.positions ?? positions,
      cache: moving?.before(times: rows), pass: pass)
    var metric = rows == 1 ? self.metric : self.metric.tiled(rows)
    metric.position -= moving?.first ?? 0
    return metric(residual, in: model, pass: pass)
  }

  // MARK: - Runs

  /// A run of the texts, or of what paths start from.
  struct Seen {
    /// m of each sequence.
    var metric: [Double]
    var values: [Site: Tensor]
    /// Empty where none were asked for.
    var gradients: [Site: Tensor]
    /// What biases hold of the metric, by block and last the head: [layers + 1]; of all sequences together.
    var biases: [Double]
  }

  /// Values and gradients at sites, in one forward and one backward pass.
  ///
  /// `.embedding` is what the first block receives.
  func seen(
    _ sites: [Site], at point: LinearisationPoint = .clean, rules: BackwardRules = .gradient,
    gradients: Bool = true, biases: Bool = false
  ) throws -> Seen {
    try model.check(rules)
    return try withEngineErrors {
      try withRecording(gradients) {
        let x0 = point == .clean ? embedding : startEmbedding
        let x = gradients ? x0.requiringGradient() : x0
        var values: [Site: Tensor] = [.embedding: x]
        var pass = Pass(sites: Set(sites).subtracting([.embedding]), rules: rules) { site, value in
          values[site] = value
          return value
        }
        let shares =
          biases
          ? Tensor(repeating: 1, [model.shape.layers + 1], model.type, on: model.device)
            .requiringGradient() : nil
        pass.biasShares = shares
        let metric = function()(x, pass)
        var seen = Seen(
          metric: try metric.detached.values(), values: [:], gradients: [:], biases: [])
        guard seen.metric.allSatisfy(\.isFinite) else { throw AttributionError.metricNotFinite }
        if gradients {
          let wanted = sites.map { values[$0] ?? x }
          let found = metric.gradient(withRespectTo: wanted + (shares.map { [$0] } ?? []))
          for (site, gradient) in zip(sites, found) { seen.gradients[site] = gradient }
          if shares != nil, let last = found.last { seen.biases = try last.values() }
        }
        for site in sites { seen.values[site] = values[site]?.detached }
        return seen
      }
    }
  }

  /// The path of the embeddings, of all tokens or of those that move.
  func inputPath(_ moving: MovingTokens? = nil) -> PathIntegral {
    var path = PathIntegral(
      .embedding, from: moving?.part(of: startEmbedding) ?? startEmbedding,
      to: moving?.part(of: embedding) ?? embedding,
      rowsAtOnce: moving?.rowsAtOnce ?? rowsAtOnce, of: function(moving))
    path.beginsAtZero = start == .zero
    return path
  }
}

/// The run at which a gradient is taken.
public enum LinearisationPoint: String, Sendable, CaseIterable {
  /// The text.
  case clean
  /// Where paths start: the other text, or a baseline.
  case patch
}

extension AttributionError {
  static func unequalTexts(_ count: Int, _ other: Int) -> AttributionError {
    AttributionError(
      .usage,
      "The text has \(count) tokens and the contrast \(other); positions are compared one by one, so give "
        + "a contrast of as many tokens.")
  }
}
