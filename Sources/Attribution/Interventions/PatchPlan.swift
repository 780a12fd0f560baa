public import LanguageModels
public import Results
internal import Tensors

/// Patching as a person asks for it: from texts to a result.
public struct PatchPlan: Sendable {
  /// What is patched.
  public var patching: ActivationPatching
  /// What is measured.
  public var metric: MetricChoice

  /// Gathers what was asked for.
  public init(
    patching: ActivationPatching = ActivationPatching(), metric: MetricChoice = MetricChoice()
  ) {
    self.patching = patching
    self.metric = metric
  }

  /// Patches between two texts.
  ///
  /// Without an answer the metric is between what the model says of the one and of the other.
  ///
  /// - Parameters:
  ///   - clean: The clean text.
  ///   - corrupted: The corrupted one, of as many tokens.
  ///   - loaded: The model.
  ///   - progress: Told the share of the runs done.
  /// - Returns: The result, without the model's hash.
  /// - Throws: As `ActivationPatching.run(clean:corrupted:metric:in:progress:)`.
  /// - Complexity: As the same, and a forward pass for each answer that is not given.
  public func result(
    of clean: Explainer.Prompt, against corrupted: Explainer.Prompt, in loaded: LoadedModel,
    progress: (Double) -> Void = { _ in }
  ) throws -> PatchResult {
    try loaded.requireHead()
    let clock = ContinuousClock()
    let start = clock.now
    guard clean.ids.count == corrupted.ids.count else {
      throw AttributionError.unequal(clean.ids.count, corrupted.ids.count)
    }
    let (measured, found) = try metric.metric(of: clean.ids, against: corrupted.ids, in: loaded)
    var outcome = try patching.run(
      clean: clean.ids, corrupted: corrupted.ids, metric: measured, in: loaded.model,
      progress: progress)
    outcome.passes.forward += found
    var result = result(outcome, of: clean, measured, loaded)
    result.contrast = ContrastText(
      text: corrupted.text, tokens: corrupted.ids.map(loaded.describe))
    result.timingsMs = ["total": (clock.now - start) / .milliseconds(1)]
    return result
  }

  /// Restores clean values in runs with noise on the subject's tokens.
  ///
  /// - Parameters:
  ///   - prompt: The text.
  ///   - subject: The tokens that get noise.
  ///   - tracing: The noise.
  ///   - loaded: The model.
  ///   - progress: Told the share of the runs done.
  /// - Returns: The result, without the model's hash.
  /// - Throws: As `CausalTracing.run(of:subject:metric:in:progress:)`.
  /// - Complexity: As the same.
  public func result(
    of prompt: Explainer.Prompt, subject: [Int], tracing: CausalTracing, in loaded: LoadedModel,
    progress: (Double) -> Void = { _ in }
  ) throws -> PatchResult {
    try loaded.requireHead()
    let clock = ContinuousClock()
    let start = clock.now
    let position = try metric.position(in: prompt.ids, of: loaded)
    let answer =
      try metric.answer ?? MetricChoice.best(at: position, of: prompt.ids, in: loaded.model)
    try metric.requireTwo(answer, metric.versus, of: loaded)
    let measured = Metric(
      metric.kind ?? .probability, token: answer, versus: metric.versus, position: position)
    var tracing = tracing
    tracing.patching = patching
    var (outcome, noise) = try tracing.run(
      of: prompt.ids, subject: subject, metric: measured, in: loaded.model, progress: progress)
    if metric.answer == nil { outcome.passes.forward += 1 }
    var result = result(outcome, of: prompt, measured, loaded)
    result.noise = noise
    result.timingsMs = ["total": (clock.now - start) / .milliseconds(1)]
    return result
  }

  private func result(
    _ outcome: ActivationPatching.Outcome, of prompt: Explainer.Prompt, _ metric: Metric,
    _ loaded: LoadedModel
  ) -> PatchResult {
    var result = PatchResult(
      toolVersion: telescopeVersion, model: loaded.modelDescription,
      device: loaded.model.device.name, text: prompt.text,
      tokens: prompt.ids.map(loaded.describe),
      metric: metric.description(outcome.clean, from: outcome.corrupted, loaded),
      direction: patching.direction.rawValue, grids: outcome.grids, passes: outcome.passes)
    if outcome.grids.contains(where: { $0.effect == nil }) {
      result.warnings.append(
        "The metric hardly differs between the clean run and the corrupted one, so there is no share of the "
          + "difference; numbers are the metric's own.")
    }
    return result
  }
}

extension Metric {
  /// The metric as results say it.
  func description(
    _ value: Double, from start: Double?, _ loaded: LoadedModel
  ) -> MetricDescription {
    MetricDescription(
      name: name, token: loaded.describe(tokens[0]), versus: versus.first.map(loaded.describe),
      position: position, value: value, start: start)
  }
}

extension AttributionError {
  static func unequal(_ clean: Int, _ corrupted: Int) -> AttributionError {
    AttributionError(
      .usage,
      "The text has \(clean) tokens and the contrast \(corrupted); values are patched token by token, so give "
        + "two of equal length.")
  }
}
