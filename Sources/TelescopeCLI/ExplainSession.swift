internal import Foundation
internal import Synchronization
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
    explainer = try Explainer(loaded)
  }

  /// Explains one prompt, showing progress.
  func explain(_ text: String) throws -> ExplainResult {
    Progress.current.begin("Explaining", quiet: common.isQuiet)
    defer { Progress.current.clear() }
    let prompt = try self.prompt(text)
    var options = Explainer.Options()
    var notes: [String] = []
    options.continuation = try continuation(after: prompt, &notes)
    options.layers = request.layers
    options.baseline = request.baseline
    options.compatible = request.isCompatible
    options.memory = common.memory
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
      options.baselineIDs = begin(loaded.tokenizer.encode(text).ids)
      if options.baselineIDs.isEmpty {
        throw CommandError(.usage, "--baseline final-of: needs a text after the colon.")
      }
    }
    options.contrast = try request.contrast.map(self.prompt)
    var result = try explainer.explain(prompt, options, progress: Progress.current.update)
    result.model.sha256 = try hash.value()
    result.warnings = notes + result.warnings
    return result
  }

  private func prompt(_ text: String) throws -> Explainer.Prompt {
    if let ids = request.ids {
      for id in ids where id >= loaded.model.shape.vocabulary {
        throw CommandError(
          .usage, "Token id \(id) is out of range; this model's vocabulary has ids 0 to "
            + "\(loaded.model.shape.vocabulary - 1).")
      }
      return .init(text: loaded.tokenizer.decode(ids), ids: ids)
    }
    guard !text.isEmpty else {
      throw CommandError(.usage, "The prompt is empty; give at least one token of text.")
    }
    if request.isChat {
      let wrapped = try loaded.chat(text)
      return .init(
        text: wrapped, ids: loaded.tokenizer.encode(wrapped, specialTokens: true).ids)
    }
    return .init(text: text, ids: begin(loaded.tokenizer.encode(text).ids))
  }

  /// Adds the beginning-of-text token where it is wanted.
  private func begin(_ ids: [Int]) -> [Int] {
    let tokenizer = loaded.tokenizer
    guard request.bos ?? tokenizer.addsBOS, let bos = tokenizer.bos else { return ids }
    return [bos] + ids
  }

  private func continuation(
    after prompt: Explainer.Prompt, _ notes: inout [String]
  ) throws -> Explainer.Continuation {
    if request.everyToken { return .everyToken }
    if let positions = request.positions { return .positions(positions) }
    guard let answer = request.answer else { return .greedy(atMost: request.mostNewTokens) }
    let ids = loaded.tokenizer.encode(answer).ids
    if request.ids == nil {
      let joined = loaded.tokenizer.encode(prompt.text + answer, specialTokens: request.isChat).ids
      if joined.suffix(ids.count) != ids[...] || joined.count != withoutBOS(prompt.ids) + ids.count {
        notes.append(
          "The answer is tokenized apart from the prompt; joined, the text would tokenize "
            + "differently (does the answer lack a leading space?).")
      }
    }
    return .answer(ids)
  }

  private func withoutBOS(_ ids: [Int]) -> Int {
    let isAdded = !request.isChat && (request.bos ?? loaded.tokenizer.addsBOS)
    return ids.count - (isAdded && loaded.tokenizer.bos != nil ? 1 : 0)
  }

  private func single(_ text: String, _ target: Target) throws -> Int {
    let ids = loaded.tokenizer.encode(text).ids
    guard ids.count == 1 else {
      throw CommandError(
        .usage, "--target \(target.name):\(text): the text is \(ids.count) tokens; give exactly one "
          + "(with its leading space, if it has one).")
    }
    return ids[0]
  }
}

/// A model's SHA-256, computed beside the work and asked for at its end.
final class HashTask: Sendable {
  private let done = DispatchSemaphore(value: 0)
  private let result = Mutex<Result<String, any Error>?>(nil)

  init(_ model: URL) {
    DispatchQueue.global(qos: .utility).async { [self] in
      let found = Result { try ModelHash().hash(of: Checkpoint(model)) }
      result.withLock { $0 = found }
      done.signal()
    }
  }

  func value() throws -> String {
    done.wait()
    done.signal()
    return try result.withLock { try $0?.get() } ?? ""
  }
}
