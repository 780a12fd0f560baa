internal import Foundation
internal import Telescope

/// What an earlier run has written, for `--resume`: whole lines that belong to these prompts.
struct EarlierLines {
  /// What of a result must agree with its prompt, once the tokenizer is there.
  private struct Made {
    var line: Int
    var entry: PromptFile.Entry
    var prompt: String
    var continuation: [Int]
  }

  private let file: OutputFile
  private var made: [Made] = []
  private var last: (line: Int, entry: PromptFile.Entry, result: ExplainResult)?
  /// How many whole lines there are.
  private(set) var count = 0
  /// Their bytes; what follows is a torn line.
  private(set) var bytes = 0
  /// All bytes that were read.
  private(set) var size = 0
  private(set) var aggregate = Aggregate()
  private(set) var failures: [ExplainFailure] = []

  /// Reads the whole lines of a file; none where it does not exist.
  ///
  /// - Throws: `CommandError` for the first line that is no result of its prompt, or was made in
  ///   another way than those before it.
  init(_ file: OutputFile, _ prompts: PromptFile) throws {
    self.file = file
    guard access(file.target, F_OK) == 0 else { return }
    let lines = try LineReader(file.target, option: file.option)
    while let bytes = try lines.next(orRefuse: { refusal($0) }), lines.wasWhole {
      guard count < prompts.entries.count else {
        throw refusal(
          "it has more lines than the input has prompts, \(prompts.entries.count)",
          "give the input that it was made from, or name another file")
      }
      try add(bytes, prompts.entries[count])
      self.bytes = lines.offset
    }
    size = lines.offset
  }

  private mutating func add(_ bytes: [UInt8], _ entry: PromptFile.Entry) throws {
    count += 1
    let line: ExplainLine
    do {
      line = try ExplainLine.decoded(from: Data(bytes))
    } catch {
      throw refusal("line \(count): " + CommandError(error).message)
    }
    guard line.id == entry.id else {
      let (there, here) = (Self.named(line.id), Self.named(entry.id))
      throw refusal("line \(count) is of \(there), and line \(entry.line) of the input is \(here)")
    }
    switch line {
    case .failure(let failure):
      guard failure.line == entry.line, Self.same(failure.prompt, entry.prompt) else {
        throw otherPrompt(count, entry)
      }
      failures.append(failure)
    case .result(let result):
      if let difference = aggregate.difference(result) {
        throw refusal("line \(count) does not belong: \(difference)")
      }
      try aggregate.add(result)
      made.append(
        Made(
          line: count, entry: entry, prompt: result.prompt,
          continuation: result.tokens.dropFirst(result.promptTokens).map(\.id)))
      last = (count, entry, result)
    }
  }

  /// Checks what only the model can tell: prompts and answers by their tokens, and everything else by
  /// making the last result again.
  ///
  /// - Throws: `CommandError` where something differs.
  func check(
    in session: ExplainSession, defaultAnswer: String?,
    _ explain: (PromptFile.Entry) throws -> ExplainResult
  ) throws {
    for made in made {
      let answer = (made.entry.answer ?? defaultAnswer)
        .map { session.loaded.tokenizer.encode($0).ids }
      guard try Self.same(made.prompt, session.text(of: made.entry.prompt)),
        answer == nil || answer == made.continuation
      else { throw otherPrompt(made.line, made.entry) }
    }
    guard let last else { return }
    let again = try explain(last.entry)
    let advice = "give the options that it was made with, or name another file"
    guard again.toolVersion == last.result.toolVersion else {
      throw refusal(
        "line \(last.line) was written by Telescope \(Terminal.shown(last.result.toolVersion)), and "
          + "this is \(again.toolVersion)")
    }
    if let difference = aggregate.difference(again) {
      throw refusal("line \(last.line), made again, does not fit: \(difference)", advice)
    }
    guard again.outline == last.result.outline else {
      throw refusal(
        "line \(last.line), made again, has other tokens, lists, checks or timings", advice)
    }
  }

  private static func named(_ id: String?) -> String {
    id.map { "'\(Terminal.shown($0))'" } ?? "no id"
  }

  /// Equal bytes: Swift's own comparison takes canonically equivalent texts for one.
  private static func same(_ left: String, _ right: String) -> Bool {
    left.utf8.elementsEqual(right.utf8)
  }

  private func otherPrompt(_ line: Int, _ entry: PromptFile.Entry) -> CommandError {
    refusal("line \(line) has another prompt or answer than line \(entry.line) of the input")
  }

  private func refusal(
    _ what: String, _ advice: String = "name another file"
  ) -> CommandError {
    let what = what.hasSuffix(".") ? String(what.dropLast()) : what
    return CommandError(.badData, "--resume '\(file.path)': \(what); \(advice).")
  }
}

extension ExplainResult {
  /// Everything but numbers, so that two runs of one command have the same.
  fileprivate var outline: [String] {
    var lines = tokens.map { String($0.id) }
    lines.append(timingsMs == nil ? "reproducible" : "timed")
    for explanation in explanations {
      let target = explanation.target
      lines.append("\(explanation.position) \(target.id) \(target.span?.count ?? 0)")
      for layer in explanation.attributions {
        lines.append("\(layer.layer) \(layer.top?.count ?? -1) \(layer.parts?.count ?? -1)")
      }
      for other in explanation.alternatives ?? [] {
        lines.append("\(other.path) \(other.baseline)")
      }
      for check in explanation.checks ?? [] {
        lines.append("\(check.replacement) \(check.scope) \(check.rows.count)")
      }
    }
    return lines
  }
}
