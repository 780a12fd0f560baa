internal import Foundation
internal import Telescope

/// A loaded model with one way of explaining, for one prompt after another.
struct ExplainSession {
  private let loaded: LoadedModel
  private let explainer: Explainer
  private let hash: HashTask
  private let common: CommonOptions
  private let request: ExplainRequest

  init(
    _ loaded: LoadedModel, hash: HashTask, _ common: CommonOptions, _ request: ExplainRequest
  ) throws {
    self.loaded = loaded
    self.hash = hash
    self.common = common
    self.request = request
    if request.bos == true && loaded.tokenizer.bos == nil {
      throw CommandError(
        .usage, "--bos: \(loaded.name) has no beginning-of-text token; leave --bos out.")
    }
    explainer = try Explainer(loaded)
  }

  /// Explains one prompt, showing progress.
  func explain(_ text: String) throws -> ExplainResult {
    Progress.current.begin("Explaining", quiet: common.isQuiet)
    defer { Progress.current.end() }
    var notes: [String] = []
    let prompt =
      try request.ids.map { Explainer.Prompt(text: loaded.tokenizer.decode($0), ids: $0) }
      ?? self.prompt(text, "The prompt", &notes)
    var options = Explainer.Options()
    options.continuation = continuation(after: prompt, &notes)
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
    options.method.estimator = request.estimator
    options.method.onsetFraction = request.onset
    options.method.top = request.top
    switch request.target {
    case .plain(let target): options.method.target = target
    case .difference(let target, let token):
      options.method.target = target
      options.versus = try single(token, target)
    }
    if case .finalOf(let text) = request.baseline {
      options.baselineIDs = begin(ids(of: text, "The text of the baseline", &notes))
    }
    options.contrast = try request.contrast.map { try self.prompt($0, "The contrast", &notes) }
    let estimate = try explainer.estimate(prompt, options)
    let tokens = estimate.predictions == 1 ? "1 token" : "\(estimate.predictions) tokens"
    Progress.current.describe(
      "\(tokens), about \(Int(2e-9 * estimate.multiplications)) GFLOP and "
        + "\(estimate.bytes / 1_000_000 + 1) MB")
    var result = try explainer.explain(prompt, options, progress: Progress.current.update)
    result.model.sha256 = try hash.value()
    result.warnings = notes + result.warnings
    if request.isReproducible { result.timingsMs = nil }
    return result
  }

  private func prompt(
    _ text: String, _ name: String, _ notes: inout [String]
  ) throws -> Explainer.Prompt {
    guard request.isChat else {
      return .init(text: text, ids: begin(ids(of: text, name, &notes)))
    }
    let wrapped = try loaded.chat(text)
    return .init(text: wrapped, ids: ids(of: wrapped, name, specialTokens: true, &notes))
  }

  /// A text's tokens, with a note where the vocabulary cannot write all of it.
  private func ids(
    of text: String, _ name: String, specialTokens: Bool = false, _ notes: inout [String]
  ) -> [Int] {
    let tokens = loaded.tokenizer.encode(text, specialTokens: specialTokens)
    let omitted = tokens.omitted.reduce(0) { $0 + $1.count }
    if omitted > 0 {
      notes.append(
        "\(name) has \(omitted) bytes that the model's vocabulary cannot write; they are left out.")
    }
    return tokens.ids
  }

  /// Adds the beginning-of-text token where it is wanted.
  private func begin(_ ids: [Int]) -> [Int] { beginning + ids }

  private var beginning: [Int] {
    guard !request.isChat, request.bos ?? loaded.tokenizer.addsBOS else { return [] }
    return loaded.tokenizer.bos.map { [$0] } ?? []
  }

  private func continuation(
    after prompt: Explainer.Prompt, _ notes: inout [String]
  ) -> Explainer.Continuation {
    if request.everyToken { return .everyToken }
    if let positions = request.positions { return .positions(positions) }
    guard let answer = request.answer else {
      return .greedy(atMost: request.mostNewTokens ?? 16)
    }
    let ids = ids(of: answer, "The answer", &notes)
    if request.ids == nil {
      let joined = loaded.tokenizer.encode(prompt.text + answer, specialTokens: request.isChat).ids
      if beginning + joined != prompt.ids + ids {
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
