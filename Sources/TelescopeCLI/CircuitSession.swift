internal import Foundation
internal import Telescope

/// A model with what is asked of its prompts.
struct CircuitSession {
  let loaded: LoadedModel
  private let hash: HashTask
  private let common: CommonOptions
  private let words: CircuitWords

  init(_ common: CommonOptions, _ words: CircuitWords) throws {
    let url = try ModelLocation.find(common.model, quiet: common.isQuiet)
    hash = HashTask(url)
    loaded = try common.load(url)
    self.common = common
    self.words = words
    try loaded.requireHead()
    guard loaded.model.isCausal else {
      throw CommandError(
        .usage,
        "telescope circuit asks for the next token, and \(loaded.name) reads both ways; use a decoder."
      )
    }
  }

  /// Makes the prompts and what is asked of them, shown as a stage.
  func result(
    of source: CircuitWords.Source, _ stage: String,
    _ body: (PromptSet, (Double) -> Void) throws -> CircuitResult
  ) throws -> CircuitResult {
    Progress.current.begin(stage, quiet: common.isQuiet)
    defer { Progress.current.end() }
    var notes: [String] = []
    let prompts = try prompts(source, &notes)
    var result = try body(prompts, Progress.current.update)
    result.model.sha256 = try hash.value()
    result.warnings = notes + result.warnings
    if words.isReproducible { result.timingsMs = nil }
    return result
  }

  /// What is asked of prompts, in what memory the weights leave.
  func plan(for prompts: PromptSet) -> CircuitPlan {
    words.plan(for: prompts, memory: common.memory.map { $0 - loaded.weightBytes })
  }

  /// Says what patching every unit by itself takes, before it begins.
  func warnOfRuns(_ prompts: PromptSet) {
    guard words.scorings.contains(.exact), !common.isQuiet else { return }
    let shape = loaded.model.shape
    let units = words.kind.count(in: shape) * shape.layers
    let runs = prompts.train.reduce(0) { $0 + (words.sumsPositions ? 1 : $1.clean.count) * units }
    Terminal.note(
      "Exact patching runs the blocks behind each unit, about \(runs / 2) times the model in all; Ctrl-C ends it."
    )
  }

  private func prompts(
    _ source: CircuitWords.Source, _ notes: inout [String]
  ) throws -> PromptSet {
    let reader = try words.place.reader(loaded)
    let task: PromptTask
    switch source {
    case .text(let text): return try prompts(text, reader, &notes)
    case .task(let given): task = given
    }
    let set = try PromptSet(
      task, train: words.train, test: words.test, seed: words.seed,
      summingPositions: words.sumsPositions, in: loaded, beginning: reader.beginning)
    for (part, count, asked) in [
      ("scores", set.train.count, words.train), ("circuits", set.test.count, words.test),
    ] where count < asked {
      notes.append(
        "Task \(task.name) has \(count) prompts \(words.sumsPositions ? "" : "of one length ")for \(part), "
          + "fewer than the \(asked) asked for.")
    }
    return set
  }

  /// One text, with its answers, and another where there is one.
  private func prompts(
    _ text: String, _ reader: PromptReader, _ notes: inout [String]
  ) throws -> PromptSet {
    let clean = try reader.prompt(text, "The text", &notes)
    let patch = try words.contrast.map { try reader.prompt($0, "The contrast", &notes) }
    if let patch, patch.ids.count != clean.ids.count {
      throw CommandError(
        .usage,
        "The text has \(clean.ids.count) tokens and --contrast \(patch.ids.count); values can only change "
          + "places between texts of equal length.")
    }
    let answer =
      try words.answer.map { try SingleToken.id($0, "--answer", loaded) } ?? next(after: clean.ids)
    var versus = try words.versus.map { try SingleToken.id($0, "--versus", loaded) }
    if let given = words.versus, versus == answer {
      throw CommandError(
        .usage, "--versus '\(given)' is the answer itself; give another token, or leave it out.")
    }
    if versus == nil, let patch {
      let other = try next(after: patch.ids)
      if other != answer {
        versus = other
      } else {
        notes.append(
          "The answer is also what the model says after the contrast, so that the metric is its logit alone; "
            + "give another token by --versus.")
      }
    }
    return PromptSet(
      PromptPair(clean: clean.ids, patch: patch?.ids, answer: answer, versus: versus),
      text: clean.text)
  }

  /// What the model says next.
  private func next(after ids: [Int]) throws -> Int {
    try withRecording(false) {
      let run = try loaded.model.run([ids])
      return try withEngineErrors {
        let last = run.residual.slice(ids.count - 1..<ids.count, along: 1)
        return try loaded.model.unembedding.logits(last).argmax(along: -1).integers()[0]
      }
    }
  }
}
