internal import LanguageModels
public import Results
internal import Tensors
internal import Tokenization

// Direct logit attribution (nostalgebraist 2020; Elhage and others 2021). Everything writes to the residual
// stream by addition, r_L = r_0 + Σ_c Δ_c, and with the final norm's scale ρ frozen at the value that
// the run had the logit is linear in r_L:
//
//     logit_y = ⟨g, r_L⟩ + bias,    g = P(γ ∘ u_y) / ρ,    bias = ⟨u_y, β⟩ + c_y,
//
// P the identity for RMSNorm, x − mean(x) for LayerNorm. So each part's score ⟨g, Δ_c⟩ is what it wrote
// towards the token, and the scores sum to the logit. A difference of two tokens has u_y − u_x for u_y;
// centred, u_y less the mean over the vocabulary, which no softmax sees.

extension Explainer {
  /// Splits logits over everything that wrote to the residual stream.
  ///
  /// - Parameters:
  ///   - prompt: its text and the ids that run.
  ///   - options: what is explained (`continuation`, `versus`), and how far down (`depth` to heads,
  ///     `neurons`); the path, its baseline and its target play no part.
  ///   - centred: whether logits are measured from their mean over the vocabulary.
  /// - Returns: parts that sum to each token's logit before any soft-cap.
  /// - Throws: `ModelError`, `AttributionError` or `EngineError`.
  /// - Complexity: one forward pass (greedy: one per token, with a cache).
  public func directLogits(
    _ prompt: Prompt, _ options: Options = Options(), centred: Bool = false
  ) throws -> DirectLogitResult {
    try withRecording(false) {
      var options = options
      if options.depth == .layer { options.depth = .block }
      try requireLinearHead()
      guard options.depth != .token else {
        throw AttributionError(
          .usage, "Direct logit attribution goes down to heads and neurons; use --depth head.")
      }
      options.path = .chain
      options.reading = nil
      let clock = Stopwatch()
      let path = try StatePath(options, layers: loaded.model.shape.layers)
      let trace = try traced(prompt, options, path) { _ in }
      guard !trace.positions.isEmpty else { throw AttributionError.nothingToExplain }
      let found = try withEngineErrors {
        try directLogits(trace, options, centred: centred)
      }
      return DirectLogitResult(
        toolVersion: telescopeVersion, model: loaded.modelDescription,
        device: loaded.model.device.name,
        prompt: prompt.text, promptTokens: prompt.ids.count,
        tokens: trace.text.map(loaded.describe),
        centred: centred, explanations: found, timingsMs: ["total": clock.total])
    }
  }

  /// Checks that logits are sums over what wrote the last state.
  ///
  /// - Throws: `AttributionError` for a head with a nonlinear layer before its norm.
  func requireLinearHead() throws {
    guard loaded.model.unembedding.transform != nil else { return }
    throw AttributionError(
      .usage,
      "Direct logit attribution needs a head that is linear after its norm; this model's has a "
        + "nonlinear layer before it: use telescope explain.")
  }

  /// The same for a text that has been traced.
  func directLogits(
    _ trace: ResidualTrace, _ options: Options, centred: Bool
  ) throws -> [DirectLogitExplanation] {
    let model = loaded.model
    let head = model.unembedding
    let targets = trace.ordinary.map(\.token)
    let directions = try logitDirections(targets, versus: options.versus, centred: centred)

    // g = P(γ ∘ u) / ρ at each explained position.
    let last = trace.state(model.shape.layers - 1).to(.float64, on: .cpu)
    let gradients = NormMap(head.norm.wide, at: last).pullBack(directions.vectors)
    let split = PathSplit(
      components: try Components(
        model, trace, depth: options.depth, neurons: options.neurons),
      blocks: [0..<model.shape.layers], extras: [(0, .embedding)],
      extraVectors: targets.indices.map {
        trace.state(-1).slice($0..<$0 + 1, along: 0).to(.float64, on: .cpu)
      }, rule: options.rule, isStraight: false)
    let cells = try split.scores(
      targets.indices.map { Integral(prediction: $0, cells: 0..<1, whole: 0, total: 0) },
      gradients)
    return try targets.enumerated().map { index, token in
      var parts = split.nodes(cells[index][0], segment: 0)
      if let biases = directions.biases {
        parts.append(AttributionNode(kind: .bias, layer: -1, value: biases[index]))
      }
      let sum = parts.reduce(0) { $0 + $1.value }
      let ordinary = trace.ordinary[index]
      let whole =
        try centred || head.softCap != nil
        ? modelLogit(trace, index, directions, head)
        : ordinary.targetLogit - (options.versus == nil ? 0 : ordinary.versusLogit)
      let target = loaded.describe(token)
      return DirectLogitExplanation(
        position: trace.positions[index],
        target: TargetDescription(
          id: target.id, text: target.text, bytes: target.bytes,
          versus: options.versus.map(loaded.describe)),
        modelLogit: whole, parts: parts, sum: sum, certificate: sum - whole)
    }
  }

  /// What a token's logit is the product with: u_y, u_y − u_x, or either less the mean.
  private func logitDirections(
    _ targets: [Int], versus: Int?, centred: Bool
  ) throws -> (vectors: Tensor, biases: [Double]?) {
    let head = loaded.model.unembedding
    func rows(_ ids: [Int]) -> Tensor {
      head.weight.selecting(ids, along: 0).to(.float64, on: .cpu)
    }
    func constants(_ ids: [Int]) -> Tensor? {
      head.bias?.to(.float64, on: .cpu).selecting(ids, along: 0)
    }
    var vectors = rows(targets)
    var constant = constants(targets)
    if let versus {
      vectors = vectors - rows([versus])
      constant = zip2(constant, constants([versus])) { $0 - $1 }
    } else if centred {
      // A difference has no mean.
      let count = head.weight.size(0)
      var mean = Tensor(repeating: 0, [1, head.weight.size(1)], .float64)
      for start in stride(from: 0, to: count, by: 4096) {
        let slice = head.weight.slice(start..<min(count, start + 4096), along: 0)
        mean = mean + slice.to(.float64, on: .cpu).sum(along: 0, keepingDimension: true)
      }
      vectors = vectors - mean * (1 / Double(count))
      constant = zip2(constant, head.bias?.to(.float64, on: .cpu).mean(along: 0)) { $0 - $1 }
    }
    var biases = constant
    if let shift = head.norm.bias {
      let product = (vectors * shift.to(.float64, on: .cpu)).sum(along: 1)
      biases = biases.map { $0 + product } ?? product
    }
    return (vectors, try biases?.values())
  }

  /// The logit before any soft-cap: as the ordinary forward pass has it, or by the norm of the state
  /// and the head, where that has another value.
  private func modelLogit(
    _ trace: ResidualTrace, _ index: Int,
    _ directions: (vectors: Tensor, biases: [Double]?), _ head: Unembedding
  ) throws -> Double {
    let plain = Norm(
      kind: head.norm.kind, weight: head.norm.weight, bias: nil, epsilon: head.norm.epsilon)
    let state = trace.state(loaded.model.shape.layers - 1).slice(index..<index + 1, along: 0)
    let normed = plain(state).to(.float64, on: .cpu)
    let product = try (normed * directions.vectors.slice(index..<index + 1, along: 0)).sum.scalar()
    return product + (directions.biases?[index] ?? 0)
  }
}

private func zip2(_ a: Tensor?, _ b: Tensor?, _ combine: (Tensor, Tensor) -> Tensor) -> Tensor? {
  guard let a, let b else { return nil }
  return combine(a, b)
}
