internal import Foundation
public import LanguageModels
public import Results
internal import Tensors

/// What a person asks of a text: a method, what its scores are summed to, and of which number they are parts.
public struct AttributionPlan: Sendable {
  /// The method.
  public var method: any AttributionSource
  /// What scores are summed to.
  public var levels: [AttributionLevel]
  /// Where paths start, where there is no contrast.
  public var start = GradientSetting.Start.zero
  /// Positions that start as they are, such as one that only begins the text.
  public var held: [Int] = []
  /// What is attributed.
  public var metric = MetricChoice()
  /// Neurons and heads that are listed.
  public var top = 100
  /// The most bytes of a run.
  public var memory: Int?

  /// A method and its levels.
  public init(_ method: any AttributionSource, levels: [AttributionLevel] = [.tokens]) {
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
    let metric = try metric.metric(of: prompt.ids, against: contrast?.ids, in: loaded).metric
    let setting = try GradientSetting(
      [prompt.ids], metric, from: contrast.map { .contrast([$0.ids]) } ?? start,
      holding: held, in: model, memory: memory)
    let found = try method.attribution(levels, in: setting, top: top, progress: progress)
    guard found.scores.allSatisfy({ $0.array.values.allSatisfy(\.isFinite) }) else {
      throw AttributionError.scoresNotFinite
    }
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
    if contrast != nil, metric.versus.isEmpty {
      result.warnings.append(
        "The model says the same of both texts, or one token was named, so the metric is one token's; name the other "
          + "with --versus for a difference.")
    }
    result.warnings += residualWarnings(
      found.scores, tolerance: description.tolerance, isPaired: contrast != nil)
    result.timingsMs = ["total": clock.lap()]
    return result
  }

  private func residualWarnings(
    _ scores: [AttributionScores], tolerance: Double?, isPaired: Bool
  ) -> [String] {
    scores.compactMap { scores in
      func share(_ certificate: SumCertificate) -> Double {
        certificate.residual / max(abs(certificate.expected), 1e-6)
      }
      guard let worst = (scores.certificates ?? []).map(share).max(), worst > tolerance ?? 0.05
      else {
        return nil
      }
      if let tolerance, worst <= 0.05 {
        return
          "The \(scores.unit) scores miss what they must sum to by up to \(String(format: "%.1e", worst)) of it, and the tolerance is "
          + "\(String(format: "%.1e", tolerance)): 512 nodes, or the model's type, go no further. Ask for less, or take --dtype float64."
      }
      return
        "The \(scores.unit) scores miss what they must sum to by up to "
        + (worst < 10 ? "\(Int((100 * worst).rounded())) %" : "more than ten times it")
        + ": the metric jumps about along the path. Take more points"
        + (isPaired
          ? "."
          : ", start near the text (--contrast), or hold the first token, which many models use as a sink "
            + "(--hold 0).")
    }
  }
}
