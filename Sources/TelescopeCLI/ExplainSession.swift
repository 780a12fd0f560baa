internal import Foundation
internal import Telescope

/// A loaded model with one way of explaining, for one prompt after another.
struct ExplainSession {
  let loaded: LoadedModel
  private let explainer: Explainer
  private let reader: PromptReader
  private let hash: HashTask
  private let common: CommonOptions
  private let request: ExplainRequest

  init(
    _ loaded: LoadedModel, hash: HashTask, _ common: CommonOptions, _ request: ExplainRequest
  ) throws {
    if !loaded.model.isCausal && request.mostNewTokens != nil {
      throw CommandError(
        .usage,
        "--max-new-tokens bounds a continuation, and \(loaded.name) continues no text; leave it out."
      )
    }
    self.loaded = loaded
    self.hash = hash
    self.common = common
    self.request = request
    reader = try PromptReader(loaded, isChat: request.isChat, adding: request.bos)
    explainer = try Explainer(loaded)
  }

  /// Explains one prompt, showing progress.
  func explain(_ text: String) throws -> ExplainResult {
    try asking(text) { prompt, options, notes in
      try explained(prompt, options, notes, Progress.current.update)
    }
  }

  /// Explains one prompt of many, whose continuation may be its own; the caller shows progress.
  func explain(
    _ text: String, answer: String?, _ shared: Shared, progress: (Double) -> Void
  ) throws -> ExplainResult {
    var notes: [String] = []
    let prompt = try reader.prompt(text, "The prompt", &notes)
    var options = shared.options
    options.continuation = continuation(after: prompt, answer, &notes)
    return try explained(prompt, options, notes + shared.notes, progress)
  }

  private func explained(
    _ prompt: Explainer.Prompt, _ options: Explainer.Options, _ notes: [String],
    _ progress: (Double) -> Void
  ) throws -> ExplainResult {
    let estimate = try explainer.estimate(prompt, options)
    let tokens = estimate.predictions == 1 ? "1 token" : "\(estimate.predictions) tokens"
    Progress.current.describe(
      "\(tokens), about \(Int(2e-9 * estimate.multiplications)) GFLOP and "
        + "\(estimate.bytes / 1_000_000 + 1) MB")
    var result = try explainer.explain(prompt, options, progress: progress)
    result.model.sha256 = try hash.value()
    result.warnings = notes + result.warnings
    if request.isReproducible { result.timingsMs = nil }
    return result
  }

  /// Splits one prompt's logits over what wrote them.
  func directLogits(_ text: String, centred: Bool) throws -> DirectLogitResult {
    try asking(text) { prompt, options, notes in
      var result = try explainer.directLogits(prompt, options, centred: centred)
      result.model.sha256 = try hash.value()
      result.warnings = notes + result.warnings
      if request.isReproducible { result.timingsMs = nil }
      return result
    }
  }

  /// Explains one prompt by several methods.
  func compare(_ text: String) throws -> CompareResult {
    try asking(text) { prompt, options, notes in
      var result = try explainer.compare(prompt, options)
      result.model.sha256 = try hash.value()
      result.warnings = notes + result.warnings
      if request.isReproducible { result.timingsMs = nil }
      return result
    }
  }

  /// Gathers what the request asks of a prompt.
  private func asking<Result>(
    _ text: String,
    _ answer: (Explainer.Prompt, Explainer.Options, _ notes: [String]) throws -> Result
  ) throws -> Result {
    Progress.current.begin("Explaining", quiet: common.isQuiet)
    defer { Progress.current.end() }
    var notes: [String] = []
    let prompt =
      try request.ids.map(reader.prompt(ids:)) ?? reader.prompt(text, "The prompt", &notes)
    let continuation = continuation(after: prompt, request.answer, &notes)
    var options = try options(&notes)
    options.continuation = continuation
    return try answer(prompt, options, notes)
  }

  /// What the request asks of every prompt alike, with files read and texts tokenized once.
  struct Shared {
    fileprivate var options: Explainer.Options
    fileprivate var notes: [String]
  }

  /// Gathers it, and finds what would fail for each prompt before any is explained.
  func shared() throws -> Shared {
    var notes: [String] = []
    var options = try options(&notes)
    options.continuation = .greedy(atMost: 1)
    _ = try explainer.estimate(.init(text: "", ids: [0]), options)
    _ = try text(of: "")
    return Shared(options: options, notes: notes)
  }

  /// A prompt's text as results give it: in the chat template, where there is to be one.
  func text(of prompt: String) throws -> String {
    request.isChat ? try loaded.chat(prompt) : prompt
  }

  private func options(_ notes: inout [String]) throws -> Explainer.Options {
    var options = Explainer.Options()
    options.layers = request.layers
    options.baseline = request.baseline
    options.compatible = request.isCompatible
    options.memory = common.memory.map { $0 - loaded.weightBytes }
    options.depth = request.depth
    options.neurons = request.neurons
    options.path = request.path
    options.otherPaths = request.otherPaths
    options.otherBaselines = request.otherBaselines
    options.rule = .certified(tolerance: request.tolerance ?? 1e-4)
    options.seed = request.seed ?? 0
    options.reading = try reading(&notes)
    options.check = try request.check.map { check in
      CheckOptions(
        replacements: check.replacements, scope: check.scope,
        reference: try check.reference.map(referenceTexts) ?? [])
    }
    options.method.estimator = request.estimator
    options.method.onsetFraction = request.onset
    options.method.top = request.top ?? 5
    switch request.target {
    case .plain(let target): options.method.target = target
    case .difference(let target, let token):
      options.method.target = target
      options.versus = try single(token, target)
    }
    if case .finalOf(let text) = request.baseline {
      options.baselineIDs = reader.surrounded(
        reader.ids(of: text, "The text of the baseline", &notes))
    }
    options.contrast = try request.contrast.map { try reader.prompt($0, "The contrast", &notes) }
    return options
  }

  /// The tuned lens or the means through which states are read.
  private func reading(_ notes: inout [String]) throws -> StateReading? {
    func url(_ path: String) -> URL {
      URL(fileURLWithPath: (path as NSString).expandingTildeInPath)
    }
    if let path = request.lens {
      let lens = try TunedLens(
        at: url(path), for: loaded, modelHash: hash.value(), unverified: request.isUnverifiedLens)
      return lens.reading
    }
    guard let path = request.completion else { return nil }
    let means = try MeanUpdates(
      load: url(path), for: loaded, modelHash: hash.value(), unverified: request.isUnverifiedLens)
    return means.reading(from: url(path).lastPathComponent)
  }

  /// The texts of `--reference`, one a line.
  private func referenceTexts(_ path: String) throws -> [[Int]] {
    let url = URL(fileURLWithPath: (path as NSString).expandingTildeInPath)
    let file = try MappedFile(url)
    guard let text = file.withBytes({ String(validating: $0, as: UTF8.self) }) else {
      throw CommandError(
        .badData, "--reference '\(path)': the file is not UTF-8 text; convert it first.")
    }
    var unused: [String] = []
    let texts = text.split(whereSeparator: \.isNewline).map {
      reader.surrounded(reader.ids(of: String($0), "A reference text", &unused))
    }.filter { !$0.isEmpty }
    guard !texts.isEmpty else {
      throw CommandError(
        .badData, "--reference '\(path)': the file has no text; give one text a line.")
    }
    return texts
  }

  private func continuation(
    after prompt: Explainer.Prompt, _ answer: String?, _ notes: inout [String]
  ) -> Explainer.Continuation {
    if request.everyToken { return .everyToken }
    if let positions = request.positions { return .positions(positions) }
    guard let answer else {
      return .greedy(atMost: request.mostNewTokens ?? 16)
    }
    let ids = reader.ids(of: answer, "The answer", &notes)
    if request.ids == nil, loaded.model.isCausal {
      let joined = loaded.tokenizer.encode(
        prompt.text + answer, specialTokens: reader.readsSpecialTokens
      ).ids
      if reader.beginning + joined != prompt.ids + ids {
        notes.append(
          "The answer is tokenized apart from the prompt; joined, the text would tokenize "
            + "differently (does the answer lack a leading space?).")
      }
    }
    return .answer(ids)
  }

  private func single(_ text: String, _ target: Target) throws -> Int {
    let ids = loaded.tokenizer.encode(text).ids
    guard ids.count == 1 else {
      throw CommandError(
        .usage,
        "--target '\(target.name):\(text)': the text is \(ids.count) tokens; give exactly one "
          + "(with its leading space, if it has one).")
    }
    return ids[0]
  }
}
