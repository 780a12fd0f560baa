internal import Foundation
internal import Telescope

/// The words of `telescope explain --input` as values.
struct InputRequest {
  /// Where an output goes.
  enum Place {
    case standardOutput
    case file(OutputFile)

    init(_ option: String, path: String) {
      self = path == "-" ? .standardOutput : .file(OutputFile(option: option, path: path))
    }

    var file: OutputFile? { if case .file(let file) = self { file } else { nil } }

    func write(_ data: Data) throws {
      switch self {
      case .standardOutput: try Terminal.write(String(decoding: data, as: UTF8.self))
      case .file(let file): try file.write(data)
      }
    }
  }

  /// The file of prompts, or `-` for standard input.
  var path: String
  var isResumed: Bool
  /// Where the aggregate goes, beside the screen.
  var aggregate: Place?
  var resamples: Int

  static let forms: [String: Arguments.Form] = [
    "--input": .value, "--resume": .alone, "--aggregate": .value, "--resamples": .value,
  ]

  /// What speaks of one prompt, or of one page.
  static let excluded = ["--ids", "--loop", "--csv", "--html"]

  /// Reads the words; nil without `--input`.
  init?(_ arguments: Arguments) throws {
    guard let path = try arguments.value("--input") else {
      for option in ["--resume", "--aggregate", "--resamples"] where arguments.has(option) {
        throw CommandError(.usage, "\(option) goes with --input; leave it out.")
      }
      return nil
    }
    guard !path.isEmpty else {
      throw CommandError(.usage, "--input '': name a file, or - for standard input.")
    }
    self.path = path
    isResumed = arguments.has("--resume")
    resamples = try Self.resamples(arguments)
    aggregate = try arguments.value("--aggregate").map {
      Place("--aggregate", path: $0)
    }
  }

  /// The number of resamples, as every command takes it.
  static func resamples(_ arguments: Arguments) throws -> Int {
    try arguments.integer("--resamples", in: 100...1_000_000) ?? 1000
  }

  /// Refuses outputs that contradict each other or the input.
  func check(_ outputs: [ExplainRequest.Output]) throws {
    let lines = outputs.first { $0.format == .json }
    if isResumed && lines?.file == nil {
      throw CommandError(
        .usage, "--resume goes on with the file of --json; name that file, or leave --resume out.")
    }
    if let lines, let aggregate {
      guard lines.file != nil || aggregate.file != nil else {
        throw CommandError(.usage, "Only one of --json and --aggregate can go to standard output.")
      }
      if let file = aggregate.file, file.target == lines.file?.target {
        throw CommandError(
          .usage,
          "--aggregate '\(file.path)': another output goes to the same file; name a different one.")
      }
    }
    guard path != "-" else { return }
    let source = OutputFile(option: "--input", path: path).target
    for file in [lines?.file, aggregate?.file].compactMap(\.self) where file.target == source {
      throw CommandError(
        .usage, "\(file.option) '\(file.path)': these are the prompts; name a different file.")
    }
  }

  static let help = """
    Many prompts
      --input FILE             JSON lines {"prompt": "…"}, each with "answer" and "id" if
                               wanted; of a file named .txt, each line is a prompt; - for
                               standard input
      --json FILE              one result a line, in the order of the prompts; a prompt that
                               fails has a line telescope/error/1
      --resume                 go on behind the last whole line of that file
      --aggregate FILE         mean depth profile, onsets and agreement as JSON, as on screen
                               (- for standard output); telescope aggregate makes it later
      --resamples N            of the 95 % intervals, over prompts (default 1000)
      --seed N                 of what is drawn (default 0)
    """
}
