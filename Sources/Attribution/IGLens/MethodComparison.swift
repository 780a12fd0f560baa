internal import LanguageModels
public import Results
internal import Tensors
internal import Tokenization

// Four answers to one question from one forward pass: IG-Lens on the chain, the straight path, direct
// logit attribution, and the difference of the logit lens from layer to layer. They add up in different
// units (the target; logits), so what can be compared is the order of layers.

extension Explainer {
  /// Explains a prompt by several methods, layer by layer.
  ///
  /// - Parameters:
  ///   - prompt: its text and the ids that run.
  ///   - options: what is explained, from which baseline; every block is credited.
  /// - Returns: each method's values and every pair's rank correlation over layers.
  /// - Throws: `ModelError`, `AttributionError` or `EngineError`.
  /// - Complexity: one forward pass (greedy: one per token, with a cache), then predictions ×
  ///   (2 layers + 3) rows through the head and the straight path's integrals.
  public func compare(_ prompt: Prompt, _ options: Options = Options()) throws -> CompareResult {
    try withRecording(false) { try comparison(prompt, options) }
  }

  private func comparison(_ prompt: Prompt, _ options: Options) throws -> CompareResult {
    var options = options
    options.layers = .all
    options.path = .chain
    options.depth = .block
    options.neurons = .none
    options.check = nil
    options.otherPaths = []
    // The logit lens starts at the embedding.
    options.otherBaselines = [.embedding]
    try requireLinearHead()
    try options.validate()
    let clock = Stopwatch()
    let path = try StatePath(options, layers: loaded.model.shape.layers)
    var method = options.method
    method.top = 0
    method.rowsPerSweep = try estimate(prompt, options, path).rowsPerSweep(within: options.memory)
    let trace = try traced(prompt, options, path) { _ in }
    guard !trace.positions.isEmpty else { throw AttributionError.nothingToExplain }
    let targets = trace.ordinary.map(\.token)

    var plain = options
    plain.depth = .layer
    let start = try start(trace, options.baseline, plain, path)
    let chain = try explain(trace, targets, start, plain, method, path)
    var line = plain
    line.path = .straight
    let straight = try explain(trace, targets, start, line, method, path)
    var logits = method
    logits.target = method.target.isDifference ? .logitDifference : .logit
    var unread = plain
    unread.reading = nil
    let embedding = try self.start(trace, .embedding, unread, path)
    let lens = try explain(trace, targets, embedding, unread, logits, path)
    let direct = try withEngineErrors { try directLogits(trace, options, centred: false) }

    let explanations = targets.enumerated().map { index, token -> Comparison in
      let ordinary = trace.ordinary[index]
      let modelValue = method.target.value(ordinary)
      let modelLogit = logits.target.value(ordinary)
      func walked(_ name: String, _ found: IGLens.Explanation, _ unit: Target, _ whole: Double)
        -> ComparedMethod
      {
        ComparedMethod(
          name: name, unit: unit.name, start: found.baseline, values: found.attributions,
          certificate: found.baseline + found.sum - whole)
      }
      let methods = [
        walked("ig-lens", chain[index], method.target, modelValue),
        walked("straight", straight[index], method.target, modelValue),
        layered(direct[index], unit: logits.target, layers: path.layers),
        walked("logit-lens", lens[index], logits.target, modelLogit),
      ]
      let target = loaded.describe(token)
      return Comparison(
        position: trace.positions[index],
        target: TargetDescription(
          id: target.id, text: target.text, bytes: target.bytes,
          versus: method.target.isDifference ? options.versus.map(loaded.describe) : nil),
        modelValue: modelValue, methods: methods,
        correlations: methods.indices.flatMap { first in
          methods.indices.filter { $0 > first }.map { second in
            RankCorrelation(
              first: methods[first].name, second: methods[second].name,
              spearman: RankAgreement.spearman(methods[first].values, methods[second].values))
          }
        })
    }
    return CompareResult(
      toolVersion: telescopeVersion, model: loaded.modelDescription,
      device: loaded.model.device.name,
      prompt: prompt.text, promptTokens: prompt.ids.count, tokens: trace.text.map(loaded.describe),
      baseline: options.reading?.start == nil ? options.baseline.name : "means",
      target: method.target.name, layers: path.layers, explanations: explanations,
      warnings: start.warnings, timingsMs: ["total": clock.total])
  }

  /// Direct logit attribution by layer: what each block's attention and MLP wrote together.
  private func layered(
    _ found: DirectLogitExplanation, unit: Target, layers: [Int]
  ) -> ComparedMethod {
    func total(_ layer: Int) -> Double {
      found.parts.filter { $0.layer == layer }.reduce(0) { $0 + $1.value }
    }
    return ComparedMethod(
      name: "dla", unit: unit.name, start: total(-1), values: layers.map(total),
      certificate: found.certificate)
  }
}
