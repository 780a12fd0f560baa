public import LanguageModels
public import Results
internal import Tensors
internal import Tokenization

/// What a person asks of a text: a method, what its scores are summed to, and of which number they are parts.
public struct AttributionPlan: Sendable {
  /// The method.
  public var method: any GradientMethod
  /// What scores are summed to.
  public var levels: [AttributionLevel]
  /// Where paths start, where there is no contrast.
  public var start = GradientSetting.Start.zero
  /// Positions that start as they are, such as one that only begins the text.
  public var held: [Int] = []
  /// What of the logits is attributed.
  public var target = Metric.Kind.logit
  /// y; nil for what the model says.
  public var answer: Int?
  /// x; nil for what the model says of the contrast, where that is another token, else none.
  public var versus: Int?
  /// Where y is predicted; nil for the last position, or an encoder's first mask.
  public var position: Int?
  /// Neurons and heads that are listed.
  public var top = 100
  /// The most bytes of a run.
  public var memory: Int?

  /// A method and its levels.
  public init(_ method: any GradientMethod, levels: [AttributionLevel] = [.tokens]) {
    self.method = method
    self.levels = levels
  }

  /// Attributes a text.
  ///
  /// - Parameters:
  ///   - prompt: the text.
  ///   - contrast: another of as many tokens, that paths start from or that is patched in.
  ///   - loaded: the model.
  ///   - progress: told the share done.
  /// - Returns: everything asked for; the model's hash is left to the caller.
  /// - Throws: `ModelError`, `AttributionError` or `EngineError`.
  /// - Complexity: the method's, and one forward pass to find tokens that were not named.
  public func result(
    of prompt: Explainer.Prompt, contrast: Explainer.Prompt? = nil, in loaded: LoadedModel,
    progress: (Double) -> Void = { _ in }
  ) throws -> AttributionResult {
    let clock = Stopwatch()
    try loaded.requireHead()
    let model = loaded.model
    let (metric, warnings) = try metric(of: prompt, contrast, loaded)
    let setting = try GradientSetting(
      [prompt.ids], metric, from: contrast.map { .contrast([$0.ids]) } ?? start,
      holding: held, in: model, memory: memory)
    let found = try method.attribution(levels, in: setting, top: top, progress: progress)
    var description = method.description(in: setting)
    if description.steps == nil, description.path != nil { description.steps = found.nodes }
    var result = AttributionResult(
      toolVersion: telescopeVersion, model: loaded.modelDescription, device: model.device.name,
      text: prompt.text, tokens: prompt.ids.map(loaded.describe),
      contrast: contrast.map {
        ContrastText(text: $0.text, tokens: $0.ids.map(loaded.describe))
      },
      metric: MetricDescription(
        name: metric.name, token: loaded.describe(metric.tokens[0]),
        versus: metric.versus.first.map(loaded.describe), position: metric.position,
        value: found.value, start: found.start),
      method: description, scores: found.scores, passes: found.passes)
    result.warnings = warnings + residualWarnings(found.scores)
    result.timingsMs = ["total": clock.lap()]
    return result
  }

  /// m, with the tokens that the model itself says where none were named.
  private func metric(
    of prompt: Explainer.Prompt, _ contrast: Explainer.Prompt?, _ loaded: LoadedModel
  ) throws -> (Metric, [String]) {
    let model = loaded.model
    try model.checkTexts([prompt.ids])
    let mask = model.isCausal ? nil : loaded.tokenizer.mask.flatMap(prompt.ids.firstIndex(of:))
    if !model.isCausal, mask == nil, position == nil {
      throw AttributionError(
        .usage,
        "\(loaded.name) fills in masks and the text has none; write "
          + "\(loaded.tokenizer.mask.map(loaded.tokenizer.text(of:)) ?? "one") in it, or give --position.")
    }
    let position = position ?? mask ?? prompt.ids.count - 1
    guard prompt.ids.indices.contains(position) else {
      throw AttributionError(
        .usage,
        "Position \(position) is out of range; the text has positions 0 to \(prompt.ids.count - 1).")
    }
    func said(_ ids: [Int]) throws -> Int {
      try withRecording(false) {
        let run = try model.run([ids])
        return try withEngineErrors {
          try model.unembedding.logits(run.residual.slice(position..<position + 1, along: 1))
            .reshaped([-1]).argmax(along: 0).integers()[0]
        }
      }
    }
    let token = try answer ?? said(prompt.ids)
    var other = versus
    if other == nil, let contrast, contrast.ids.count == prompt.ids.count {
      let there = try said(contrast.ids)
      if there != token { other = there }
    }
    if other == token {
      throw AttributionError(
        .usage, "Both tokens of the difference are '\(loaded.describe(token).text)'; name two.")
    }
    var warnings: [String] = []
    if contrast != nil, other == nil {
      warnings.append(
        "The model says the same of both texts, so the metric is one token's and not a difference; name the "
          + "other with --versus.")
    }
    return (Metric(target, token: token, versus: other, position: position), warnings)
  }

  private func residualWarnings(_ scores: [AttributionScores]) -> [String] {
    scores.compactMap { scores in
      func share(_ certificate: SumCertificate) -> Double {
        certificate.residual / max(abs(certificate.expected), 1e-6)
      }
      guard let worst = (scores.certificates ?? []).map(share).max(), worst > 0.05 else { return nil }
      return
        "The \(scores.unit) scores miss what they must sum to by up to "
        + (worst < 10 ? "\(Int((100 * worst).rounded())) %" : "more than ten times it")
        + ": the metric jumps about along the path. Start near the text (--contrast), hold the first token, which "
        + "many models use as a sink (--hold 0), or take more --steps."
    }
  }
}
