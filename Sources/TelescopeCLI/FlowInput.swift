internal import Foundation
internal import Telescope

/// `telescope flow --input`: many texts, the model loaded once, one result a line.
struct FlowInput {
  private let input: InputRequest
  private let common: CommonOptions
  private let words: FlowWords

  init(_ input: InputRequest, _ common: CommonOptions, _ words: FlowWords) {
    self.input = input
    self.common = common
    self.words = words
  }

  /// Makes the flows of every text.
  ///
  /// - Throws: `CommandError` where nothing could be done, and at the end where a text failed.
  func run(_ rest: [String]) throws {
    if let word = rest.first {
      throw CommandError(.usage, "--input gives the texts; leave out '\(word)'.")
    }
    guard let output = words.outputs.first(where: { $0.format == .json }) else {
      throw CommandError(
        .usage,
        "--input writes one result a line; say where by --json FILE (- for standard output)."
      )
    }
    let texts = try PromptFile(input.path)
    if let entry = texts.entries.first(where: { $0.answer != nil }) {
      throw CommandError(
        .badData, "\(texts.name), line \(entry.line): a flow has no 'answer'; leave it out.")
    }
    let lines = ResultLines(output.file)
    try lines.check(isResumed: input.isResumed)
    let earlier = input.isResumed ? try output.file.map { try EarlierFlows($0, texts) } : nil

    try input.aggregate?.file?.check()
    let start = ContinuousClock.now
    let session = try FlowSession(common, words)
    try earlier?.check { try session.result(of: $0.prompt, progress: { _ in }) }
    let (done, total) = (earlier?.count ?? 0, texts.entries.count)
    try lines.open(keeping: earlier?.bytes ?? 0, of: earlier?.size ?? 0)
    func left(_ done: Int) -> String {
      "\(output.file?.path ?? "") has \(done) of \(total) texts, and --resume goes on with the rest."
    }
    lines.say(left(done))
    var failures = earlier?.failures ?? []
    var aggregate = earlier?.aggregate ?? FlowAggregate()
    let meter = InputMeter(total, done: done, noun: "Text", quiet: common.isQuiet)
    defer { meter.end() }
    for (index, entry) in texts.entries.enumerated().dropFirst(done) {
      meter.begin()
      let (data, made) = try line(entry, index, session, output.file, meter)
      try lines.write(data, saying: left(index + 1))
      switch made {
      case .success(let result): aggregate.add(result)
      case .failure(let failure):
        failures.append(failure.line)
        Terminal.note(
          "telescope: \(texts.name), line \(failure.line.line): \(failure.line.message)")
      }
      meter.finish()
    }
    meter.end()
    OutputFile.remaining = nil
    try finish(aggregate, failures.count, output, since: start)
    if let first = failures.first {
      throw CommandError(
        .badData,
        "\(failures.count) of \(total) texts failed, the first in line \(first.line) of the input; "
          + "their lines in the output say why.")
    }
  }

  /// Says what the texts have in common, where routes were compared, and what was written.
  private func finish(
    _ aggregate: FlowAggregate, _ failures: Int, _ output: ExplainRequest.Output,
    since start: ContinuousClock.Instant
  ) throws {
    if var result = aggregate.result(resamples: input.resamples, seed: words.seed) {
      if failures > 0 { result.warnings = ["\(failures) of the texts failed and are not in it."] }
      if !words.isReproducible {
        result.timingsMs = ["total": (ContinuousClock.now - start) / .milliseconds(1)]
      }
      try input.aggregate?.write(result.encoded())
      let isTaken = output.file == nil || input.aggregate.map { $0.file == nil } ?? false
      if !isTaken { try Terminal.write(FlowReport.text(for: result, style: Terminal.style)) }
    }
    for file in [output.file, input.aggregate?.file].compactMap(\.self) where !common.isQuiet {
      Terminal.note("Wrote \(file.path)")
    }
  }

  /// One text's line; what is wrong with it alone ends nothing else.
  private func line(
    _ entry: PromptFile.Entry, _ index: Int, _ session: FlowSession, _ file: OutputFile?,
    _ meter: InputMeter
  ) throws -> (Data, Result<FlowResult, FailedText>) {
    do {
      var result = try session.result(of: entry.prompt, progress: meter.update)
      result.id = entry.id
      if words.layout == .lig {
        return (try FlowReport.lig(for: result), .success(result))
      }
      guard let file else { return (try result.encoded(indented: false), .success(result)) }
      let arrays = ArraysFile(beside: file, line: index + 1)
      let (stored, moved) = result.movingArrays(over: ArraysFile.inline, to: arrays.name)
      if !moved.isEmpty { try arrays.write(moved, of: result) }
      return (try stored.encoded(indented: false), .success(result))
    } catch {
      let error = CommandError(error)
      guard error.isOfOnePrompt else { throw error }
      let failure = ExplainFailure(
        id: entry.id, line: entry.line, prompt: entry.prompt, message: error.message)
      return (try ExplainLine.failure(failure).encoded(), .failure(FailedText(line: failure)))
    }
  }
}

/// A text that cannot be run, with its line in the output.
private struct FailedText: Error {
  var line: ExplainFailure
}

/// What an earlier run has written, for `--resume`: whole lines that belong to these texts.
private struct EarlierFlows {
  private let file: OutputFile
  private var last: (line: Int, entry: PromptFile.Entry, result: FlowResult)?
  private(set) var failures: [ExplainFailure] = []
  private(set) var aggregate = FlowAggregate()
  /// How many whole lines there are.
  private(set) var count = 0
  /// Their bytes; what follows is a torn line.
  private(set) var bytes = 0
  /// All bytes that were read.
  private(set) var size = 0

  init(_ file: OutputFile, _ texts: PromptFile) throws {
    self.file = file
    guard access(file.target, F_OK) == 0 else { return }
    let lines = try LineReader(file.target, option: file.option)
    while let bytes = try lines.next(orRefuse: { refusal($0) }), lines.wasWhole {
      guard count < texts.entries.count else {
        throw refusal(
          "it has more lines than the input has texts, \(texts.entries.count)",
          "give the input that it was made from, or name another file")
      }
      try add(Data(bytes), texts.entries[count])
      self.bytes = lines.offset
    }
    size = lines.offset
  }

  private mutating func add(_ data: Data, _ entry: PromptFile.Entry) throws {
    count += 1
    let other = refusal(
      "line \(count) is of another text than line \(entry.line) of the input")
    if let line = try? ExplainLine.decoded(from: data), case .failure(let failure) = line {
      guard failure.line == entry.line, failure.prompt == entry.prompt, failure.id == entry.id
      else { throw other }
      return failures.append(failure)
    }
    let result: FlowResult
    do {
      result = try FlowResult.decoded(from: data)
    } catch {
      throw refusal("line \(count): " + CommandError(error).message)
    }
    guard result.id == entry.id else { throw other }
    if let earlier = last?.result, !result.isMade(as: earlier) {
      throw refusal("line \(count) was made in another way than those before it")
    }
    aggregate.add(result)
    last = (count, entry, result)
  }

  /// Checks, by making the last result again, that it is of this model, these options and this text.
  func check(_ make: (PromptFile.Entry) throws -> FlowResult) throws {
    guard let last else { return }
    let again = try make(last.entry)
    guard again.isMade(as: last.result), again.text == last.result.text,
      again.tokens == last.result.tokens
    else {
      throw refusal(
        "line \(last.line), made again, has another text, model or way of being made",
        "give the options that it was made with, or name another file")
    }
  }

  private func refusal(_ what: String, _ advice: String = "name another file") -> CommandError {
    let what = what.hasSuffix(".") ? String(what.dropLast()) : what
    return CommandError(.badData, "--resume '\(file.path)': \(what); \(advice).")
  }
}

extension FlowResult {
  /// Whether another result was made by the same version, model and options.
  fileprivate func isMade(as other: FlowResult) -> Bool {
    /// Targets are all of each text's own.
    func way(_ result: FlowResult) -> FlowParameters {
      var parameters = result.parameters
      parameters.targets = []
      return parameters
    }
    return toolVersion == other.toolVersion && model == other.model && device == other.device
      && way(self) == way(other) && layers.map(\.layer) == other.layers.map(\.layer)
      && layers.first?.composed?.keys.sorted() == other.layers.first?.composed?.keys.sorted()
      && agreement?.first?.routes == other.agreement?.first?.routes
      && (timingsMs == nil) == (other.timingsMs == nil)
  }
}
