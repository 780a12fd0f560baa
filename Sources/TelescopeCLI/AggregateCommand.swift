internal import Foundation
internal import Telescope

/// `telescope aggregate`: what the results of `explain --input` have in common; no model runs.
enum AggregateCommand {
  private static let forms: [String: Arguments.Form] = [
    "--json": .value, "--csv": .value, "--resamples": .value, "--seed": .value,
    "--reproducible": .alone, "--quiet": .alone, "-q": .alone, "--help": .alone, "-h": .alone,
    "--version": .alone,
  ]

  static func run(_ words: [String]) throws {
    let arguments = try Arguments(words, forms, of: "aggregate")
    if arguments.flag("--help", "-h") { return try Terminal.write(help) }
    if arguments.flag("--version") { return try Terminal.write(Main.version) }
    let isQuiet = arguments.flag("--quiet", "-q")
    let resamples = try InputRequest.resamples(arguments)
    let seed = try arguments.integer("--seed", in: 0...Int.max) ?? 0
    let json = try arguments.value("--json").map { InputRequest.Place("--json", path: $0) }
    let csv = try arguments.value("--csv").map { InputRequest.Place("--csv", path: $0) }
    let places = [json, csv].compactMap(\.self)
    try check(arguments.rest, places)
    for place in places { try place.file?.check() }

    let start = ContinuousClock.now
    var aggregate = Aggregate()
    var failures = 0
    for path in arguments.rest { failures += try add(path, to: &aggregate) }
    guard aggregate.prompts > 0 else {
      throw CommandError(
        .badData, "Every line is of a prompt that failed; there is nothing to aggregate.")
    }
    Progress.current.begin("Resampling", quiet: isQuiet)
    var result = try aggregate.result(resamples: resamples, seed: seed)
    Progress.current.end()
    result.note(failures: failures)
    if !arguments.flag("--reproducible") {
      result.timingsMs = ["total": (ContinuousClock.now - start) / .milliseconds(1)]
    }
    try json?.write(result.encoded())
    try csv?.write(Data(AggregateReport.csv(for: result).utf8))
    if places.allSatisfy({ $0.file != nil }) {
      try Terminal.write(AggregateReport.text(for: result, style: Terminal.style))
    }
    for file in places.compactMap(\.file) where !isQuiet { Terminal.note("Wrote \(file.path)") }
  }

  private static func check(_ paths: [String], _ places: [InputRequest.Place]) throws {
    guard !paths.isEmpty else {
      throw CommandError(
        .usage, "There are no results; name files that 'telescope explain --input --json' wrote.")
    }
    guard places.filter({ $0.file == nil }).count < 2 else {
      throw CommandError(.usage, "Only one of --json and --csv can go to standard output.")
    }
    var taken = Set(
      paths.filter { $0 != "-" }.map { OutputFile(option: "", path: $0).target })
    guard taken.count == paths.count || paths.filter({ $0 == "-" }).count == 1 else {
      throw CommandError(.usage, "A file of results is named twice; name each once.")
    }
    for file in places.compactMap(\.file) where !taken.insert(file.target).inserted {
      throw CommandError(
        .usage,
        "\(file.option) '\(file.path)': these are results, or another output; name a different file."
      )
    }
  }

  /// Adds the results of one file; gives the number of prompts that failed.
  private static func add(_ path: String, to aggregate: inout Aggregate) throws -> Int {
    let name = path == "-" ? "Standard input" : "'\(path)'"
    let lines = try LineReader(path, option: "")
    var number = 0
    var failures = 0
    func refuse(_ what: String) -> CommandError {
      CommandError(.badData, "\(name), line \(number): \(what)")
    }
    while let bytes = try lines.next(orRefuse: refuse) {
      number += 1
      let line: ExplainLine
      do {
        line = try ExplainLine.decoded(from: Data(bytes))
      } catch {
        if !lines.wasWhole {
          throw refuse("this last line is cut off; finish the run with --resume, or remove it.")
        }
        throw refuse(CommandError(error).message)
      }
      switch line {
      case .failure: failures += 1
      case .result(let result):
        if let difference = aggregate.difference(result) {
          throw refuse("this does not belong: \(difference); aggregate them apart.")
        }
        try aggregate.add(result)
      }
    }
    guard number > 0 else { throw CommandError(.badData, "\(name) has no results; it is empty.") }
    return failures
  }

  static let help = """
    usage: telescope aggregate [options] results.jsonl …

    Says what many results have in common, without running a model: the mean depth profile
    (each layer's value as a share of its prediction's Σ|A|, with its sign), where onsets lie,
    how far attributions agree with causal checks, and what share of integrals converged.
    The files are those that telescope explain --input … --json FILE writes (- for standard
    input); all must be of one model and one method.

      --json FILE              the aggregate, schema telescope/aggregate/1 (- for standard
                               output)
      --csv FILE               one line per mean
      --resamples N            of the 95 % intervals, over prompts (default 1000)
      --seed N                 of what is drawn (default 0)
      --reproducible           leave out wall times
      --quiet, -q              no notes
      --version                the version
      --help, -h               this text

    """
}

extension AggregateResult {
  /// Says that some prompts are not in it.
  mutating func note(failures: Int) {
    guard failures > 0 else { return }
    warnings.append(
      "Left out: \(failures) of \(prompts + failures) prompts, which failed.")
  }
}
