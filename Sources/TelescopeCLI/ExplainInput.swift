internal import Foundation
internal import Telescope

/// `telescope explain --input`: many prompts, the model loaded once, one result a line.
struct ExplainInput {
  private let input: InputRequest
  private let common: CommonOptions
  private let request: ExplainRequest

  init(_ input: InputRequest, _ common: CommonOptions, _ request: ExplainRequest) {
    self.input = input
    self.common = common
    self.request = request
  }

  /// Explains every prompt, then says what they have in common.
  ///
  /// - Throws: `CommandError` where nothing could be done, and at the end where a prompt failed.
  func run(_ words: [String]) throws {
    if let word = words.first {
      throw CommandError(.usage, "--input gives the prompts; leave out '\(word)'.")
    }
    let prompts = try PromptFile(input.path)
    try checkAnswers(prompts)
    let output = request.outputs.first { $0.format == .json }
    try input.aggregate?.file?.check()
    let lines = ResultLines(output?.file)
    try lines.check(isResumed: input.isResumed)
    let earlier = input.isResumed ? try output?.file.map { try EarlierLines($0, prompts) } : nil

    let start = ContinuousClock.now
    let session = try ExplainCommand.session(common, request)
    let shared = try session.shared()
    var aggregate = earlier?.aggregate ?? Aggregate()
    var failures = earlier?.failures ?? []
    let done = earlier?.count ?? 0
    let meter = InputMeter(prompts.entries.count, done: done, quiet: common.isQuiet)
    defer { meter.end() }
    try earlier?.check(in: session, defaultAnswer: request.answer) { entry in
      try session.explain(
        entry.prompt, answer: entry.answer ?? request.answer, shared, progress: { _ in })
    }
    if output != nil { try lines.open(keeping: earlier?.bytes ?? 0, of: earlier?.size ?? 0) }

    lines.say(left(output?.file, done, of: prompts.entries.count))
    for (index, entry) in prompts.entries.enumerated().dropFirst(done) {
      meter.begin()
      let (line, text) = try explained(entry, session, shared, meter)
      if output != nil {
        try lines.write(text, saying: left(output?.file, index + 1, of: prompts.entries.count))
      }
      switch line {
      case .result(let result): try aggregate.add(result)
      case .failure(let failure):
        failures.append(failure)
        Terminal.note("telescope: \(prompts.name), line \(failure.line): \(failure.message)")
      }
      meter.finish()
    }
    meter.end()
    OutputFile.remaining = nil
    try finish(aggregate, failures, prompts, output, since: start)
  }

  /// One prompt's line; what is wrong with it alone ends nothing else.
  private func explained(
    _ entry: PromptFile.Entry, _ session: ExplainSession,
    _ shared: ExplainSession.Shared, _ meter: InputMeter
  ) throws -> (ExplainLine, Data) {
    do {
      var result = try session.explain(
        entry.prompt, answer: entry.answer ?? request.answer, shared, progress: meter.update)
      result.id = entry.id
      // A number that JSON cannot carry is this prompt's failure too.
      let line = ExplainLine.result(result)
      return (line, try line.encoded())
    } catch {
      let error = CommandError(error)
      guard error.isOfOnePrompt else { throw error }
      let line = ExplainLine.failure(
        ExplainFailure(
          id: entry.id, line: entry.line, prompt: entry.prompt, message: error.message))
      return (line, try line.encoded())
    }
  }

  /// Refuses options that would be read and ignored beside the lines' own answers.
  private func checkAnswers(_ prompts: PromptFile) throws {
    let answered = prompts.entries.filter { $0.answer != nil }
    guard let first = answered.first else { return }
    let options: [(String, Bool)] = [
      ("--answer", request.answer != nil), ("--every-token", request.everyToken),
      ("--position", request.positions != nil),
      (
        "--max-new-tokens",
        request.mostNewTokens != nil && answered.count == prompts.entries.count
      ),
    ]
    for (option, isGiven) in options where isGiven {
      throw CommandError(
        .usage,
        "\(option) and the answer in line \(first.line) of the input contradict each other; give one."
      )
    }
  }

  /// What an interruption will say.
  private func left(_ file: OutputFile?, _ done: Int, of total: Int) -> String {
    "\(file?.path ?? "") has \(done) of \(total) prompts, and --resume goes on with the rest."
  }

  private func finish(
    _ aggregate: Aggregate, _ failures: [ExplainFailure], _ prompts: PromptFile,
    _ output: ExplainRequest.Output?, since start: ContinuousClock.Instant
  ) throws {
    let total = prompts.entries.count
    let place = output == nil ? "the reasons are above" : "their lines in the output say why"
    let failed = CommandError(
      .badData,
      "\(failures.count) of \(total) prompts failed, the first in line "
        + "\(failures.first?.line ?? 0) of the input; \(place).")
    guard aggregate.prompts > 0 else { throw failed }
    Progress.current.begin("Resampling", quiet: common.isQuiet)
    var result = try aggregate.result(resamples: input.resamples, seed: request.seed ?? 0)
    Progress.current.end()
    result.note(failures: failures.count)
    if !request.isReproducible {
      result.timingsMs = ["total": (ContinuousClock.now - start) / .milliseconds(1)]
    }
    try input.aggregate?.write(result.encoded())
    let isTaken =
      output.map { $0.file == nil } ?? false || input.aggregate.map { $0.file == nil } ?? false
    if !isTaken {
      try Terminal.write(AggregateReport.text(for: result, style: Terminal.style))
    }
    for file in [output?.file, input.aggregate?.file].compactMap(\.self) where !common.isQuiet {
      Terminal.note("Wrote \(file.path)")
    }
    if !failures.isEmpty { throw failed }
  }
}
