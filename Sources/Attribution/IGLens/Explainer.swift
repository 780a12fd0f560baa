internal import Foundation
public import LanguageModels
public import Results
internal import Tensors
internal import Tokenization

/// Explains text with IG-Lens: runs the model, chooses baseline and layers, and gives plain numbers.
public struct Explainer {
  /// The model.
  public let loaded: LoadedModel
  let readout: Readout

  /// Prepares a loaded model.
  public init(_ loaded: LoadedModel) throws {
    try loaded.requireHead()
    self.loaded = loaded
    readout = try withEngineErrors { Readout(loaded.model.unembedding) }
  }

  /// What is to be explained of a prompt.
  public enum Continuation: Sendable, Equatable {
    /// The model's own greedy continuation, at most this many tokens.
    case greedy(atMost: Int)
    /// These tokens, whatever the model would say.
    case answer([Int])
    /// The prompt's own tokens, each from those before it.
    case everyToken
    /// What is predicted at these positions of the prompt.
    case positions([Int])
  }

  /// A prompt: its ids, and the text that a person would recognise.
  public struct Prompt: Sendable {
    /// The text as given.
    public var text: String
    /// The ids that run.
    public var ids: [Int]

    /// Pairs a text with its ids.
    public init(text: String, ids: [Int]) {
      self.text = text
      self.ids = ids
    }
  }

  /// How to explain.
  public struct Options {
    /// Which predictions.
    public var continuation = Continuation.greedy(atMost: 16)
    /// The method.
    public var method = IGLens()
    /// Where paths start.
    public var baseline = Baseline.mean
    /// Ids of the text of a `finalOf` baseline.
    public var baselineIDs: [Int] = []
    /// The way from the baseline to the model's state.
    public var path = PathChoice.chain
    /// How the states on the way are read; nil for the residual stream itself.
    public var reading: StateReading?
    /// How far down each layer's value is split.
    public var depth = Depth.layer
    /// Which neurons are listed.
    public var neurons = NeuronChoice.none
    /// How many nodes path integrals get.
    public var rule = IntegralRule.certified(tolerance: 1e-4)
    /// Other paths to compute beside this one.
    public var otherPaths: [PathChoice] = []
    /// Other baselines to compute beside this one.
    public var otherBaselines: [Baseline] = []
    /// The causal check; nil for none.
    public var check: CheckOptions?
    /// The seed of anything sampled.
    public var seed = 0
    /// Which layers are credited.
    public var layers = LayerChoice.all
    /// The second token of a difference.
    public var versus: Int?
    /// Whether to reproduce the published script's states: hidden states counted from 0, the last
    /// already normed and normed again.
    public var compatible = false
    /// Another prompt for the same continuation.
    public var contrast: Prompt?
    /// The most bytes that a run may take beyond the model.
    public var memory: Int?

    /// The defaults.
    public init() {}
  }

  /// Explains a prompt.
  ///
  /// - Parameters:
  ///   - prompt: its text and the ids that run.
  ///   - options: what is explained, and how.
  ///   - progress: told the share of the work done.
  /// - Returns: the result, without the model's hash, which costs a read of the whole file.
  /// - Throws: `ModelError`, `AttributionError` or `EngineError`.
  /// - Complexity: one forward pass (greedy: one per token, with a cache), then predictions ×
  ///   (layers + 1) rows through the head. A contrast doubles both.
  public func explain(
    _ prompt: Prompt, _ options: Options = Options(), progress: (Double) -> Void = { _ in }
  ) throws -> ExplainResult {
    try withRecording(false) {
      try explanation(prompt, options, progress)
    }
  }

  private func explanation(
    _ prompt: Prompt, _ options: Options, _ progress: (Double) -> Void
  ) throws -> ExplainResult {
    let model = loaded.model
    let count = model.shape.layers
    try options.validate()
    try checkDirection(options)
    let path = try StatePath(options, layers: count)
    var method = options.method
    method.rowsPerSweep = try estimate(prompt, options, path).rowsPerSweep(within: options.memory)
    let clock = Stopwatch()
    let trace = try traced(prompt, options, path) { progress(0.3 * $0) }
    let forward = clock.lap()
    guard !trace.positions.isEmpty else { throw AttributionError.nothingToExplain }
    let targets = trace.ordinary.map(\.token)
    let start = try start(trace, options.baseline, options, path)
    let found = try explain(trace, targets, start, options, method, path) {
      progress(0.3 + 0.7 * $0)
    }
    let attribution = clock.lap()

    var explanations = zip(trace.positions, trace.ordinary).enumerated().map { index, at in
      explanation(
        found[index], position: at.0, token: targets[index], versus: options.versus,
        modelValue: method.target.value(at.1), method, path)
    }
    try addChecks(to: &explanations, found, trace, targets, options, method, path)
    try addAlternatives(to: &explanations, trace, targets, options, method, path)
    var contrast: ContrastDescription?
    var contrastWarnings: [String] = []
    if let other = options.contrast {
      (contrast, contrastWarnings) = try addContrast(
        other, to: &explanations, trace, targets, promptCount: prompt.ids.count, options, method,
        path)
    }
    if let span = try span(found, trace, targets, start, options, method, path) {
      explanations.append(span)
    }
    let warnings =
      start.warnings + checkWarnings(explanations, options)
      + contrastWarnings.map { "In the contrast: " + $0 }
      + certificateWarnings(explanations, method, options)

    return ExplainResult(
      toolVersion: telescopeVersion,
      model: loaded.modelDescription, device: model.device.name, prompt: prompt.text,
      promptTokens: prompt.ids.count, tokens: trace.text.map(loaded.describe),
      method: describe(options, method, path), baselineText: options.baseline.text,
      seed: options.isSampled ? options.seed : nil, contrast: contrast, explanations: explanations,
      warnings: warnings,
      timingsMs: [
        "forward": forward, "attribution": attribution, "total": clock.total,
      ])
  }

  /// Refuses what only a decoder can be asked.
  private func checkDirection(_ options: Options) throws {
    guard !loaded.model.isCausal, options.check != nil else { return }
    throw AttributionError(
      .usage,
      "--check replaces a part at one position and runs on from there, and in \(loaded.name) every "
        + "position sees every other; leave --check out.")
  }

  // MARK: - Steps

  /// What the forward pass must show.
  private func request(_ options: Options, _ path: StatePath) throws -> TraceRequest {
    let components = try Components.sites(
      of: loaded.model, depth: options.depth, neurons: options.neurons)
    let baselines = [options.baseline] + options.otherBaselines
    var rows = Set(path.blocks.map(Site.state)).union(components.rows)
    if baselines.contains(.embedding) || options.reading != nil { rows.insert(.embedding) }
    return TraceRequest(
      rows: rows, whole: components.whole.union([.state(after: path.averaged)]),
      includesEnd: baselines.contains(.meanAll) || options.compatible)
  }

  func traced(
    _ prompt: Prompt, _ options: Options, _ path: StatePath, _ progress: (Double) -> Void
  ) throws -> ResidualTrace {
    let model = loaded.model
    let request = try request(options, path)
    func trace(_ text: [Int], _ positions: [Int]) throws -> ResidualTrace {
      try model.trace(text, positions: positions, request, versus: options.versus)
    }
    let last = prompt.ids.count - 1
    guard last >= 0 else {
      throw ModelError(.usage, "The prompt is empty; give at least one token of text.")
    }
    if case .positions(let positions) = options.continuation,
      let wrong = positions.first(where: { $0 < 0 || $0 > last })
    {
      throw AttributionError(
        .usage, "--position \(wrong) is out of range; the prompt has positions 0 to \(last).")
    }
    guard model.isCausal else { return try traceMasks(prompt, options, request) }
    switch options.continuation {
    case .answer(let answer):
      guard !answer.isEmpty else {
        throw AttributionError(
          .usage, "--answer: the text gives no tokens; give at least one character.")
      }
      return try trace(prompt.ids + answer, answer.indices.map { last + $0 })
    case .everyToken:
      guard last > 0 else {
        throw AttributionError(
          .usage,
          "--every-token: the text is one token long, so nothing precedes it; give a longer "
            + "text, or leave --every-token out to explain its continuation.")
      }
      return try trace(prompt.ids, Array(0..<last))
    case .positions(let positions):
      return try trace(prompt.ids, Set(positions).sorted())
    case .greedy(let count):
      let ends = loaded.tokenizer.endOfText
      if request.includesEnd {
        let added = try model.generate(from: prompt.ids, atMost: count, endingAt: ends)
        return try trace(prompt.ids + added, added.indices.map { last + $0 })
      }
      return try model.traceContinuation(
        of: prompt.ids, atMost: count, endingAt: ends, request, versus: options.versus,
        progress: progress)
    }
  }

  private func addContrast(
    _ other: Prompt, to explanations: inout [Explanation], _ trace: ResidualTrace,
    _ targets: [Int], promptCount: Int, _ options: Options, _ method: IGLens, _ path: StatePath
  ) throws -> (ContrastDescription, warnings: [String]) {
    guard loaded.model.isCausal else {
      throw AttributionError(
        .usage,
        "--contrast compares one continuation after two prompts, and \(loaded.name) continues none; "
          + "explain the two texts one by one.")
    }
    switch options.continuation {
    case .answer, .greedy: break
    case .everyToken, .positions:
      throw AttributionError(
        .usage,
        "--contrast compares one continuation after two prompts; leave out --every-token "
          + "and --position.")
    }
    guard !other.ids.isEmpty else {
      throw AttributionError(.usage, "--contrast: the text is empty; give another prompt.")
    }
    let text = other.ids + trace.text[promptCount...]
    var settings = options
    settings.continuation = .answer(Array(trace.text[promptCount...]))
    settings.depth = .layer
    settings.neurons = .none
    let second = try traced(Prompt(text: other.text, ids: other.ids), settings, path) { _ in }
    let start = try start(second, options.baseline, options, path)
    var observed = method
    observed.estimator = .observed
    let found = try observed.explain(
      predictions(second, targets, start, options, path), with: readout)
    for (index, explanation) in found.enumerated() {
      var before = 0.0
      for layer in explanation.lens.indices {
        let here = explanations[index].attributions[layer].lens
        let difference = here - explanation.lens[layer]
        explanations[index].attributions[layer].contrastLens = explanation.lens[layer]
        explanations[index].attributions[layer].contrastDifference = difference
        explanations[index].attributions[layer].contrastIncrement = difference - before
        before = difference
      }
    }
    let description = ContrastDescription(
      prompt: other.text, promptTokens: other.ids.count, tokens: text.map(loaded.describe))
    return (description, start.warnings)
  }
}
