internal import Foundation
internal import Telescope

/// `telescope inspect`: what a model is, without loading it.
enum InspectCommand {
  private static let forms: [String: Arguments.Form] = [
    "--model": .value, "--json": .value, "--ignore-config-key": .value, "--quiet": .alone,
    "-q": .alone, "--help": .alone, "-h": .alone, "--version": .alone,
  ]

  static func run(_ words: [String]) throws {
    let arguments = try Arguments(words, forms, of: "inspect")
    if arguments.flag("--help", "-h") { return try Terminal.write(help) }
    if arguments.flag("--version") { return try Terminal.write(Main.version) }
    let common = try CommonOptions(arguments)
    let outputs = try [ExplainRequest.Output].asked(of: arguments)
    for output in outputs { try output.file?.check() }
    let model = try ModelArgument.location(arguments, common)
    let result = InspectResult(try Inspection(of: model, ignoringKeys: common.ignoredKeys))
    try outputs.write(common) { _ in
      try result.encoded()
    } onScreen: {
      InspectReport.text(for: result, style: Terminal.style)
    }
  }

  static let help = """
    usage: telescope inspect [options] [MODEL]

    Tells what a model is from its configuration, without loading it: sizes, parameters by
    part, how each block is wired, norms, rope, windows, soft-caps, experts and head; the
    sites that can be seen or captured; what z and u are at each block; which methods work
    and why not; and the memory of the weights. MODEL is a GGUF or safetensors file, a model
    folder, or a config.json alone.

      --model MODEL            the same as naming it
      --json FILE              everything, schema telescope/inspect/1 (- for standard output)
      --ignore-config-key KEY  go on although Telescope does not know this key; repeatable
      --quiet, -q              no notes
      --version                the version
      --help, -h               this text

    """
}

/// A model that may be named without an option.
enum ModelArgument {
  /// The file or folder that the words name.
  static func location(_ arguments: Arguments, _ common: CommonOptions) throws -> URL {
    guard let word = arguments.rest.first else {
      return try ModelLocation.find(common.model, quiet: common.isQuiet)
    }
    if arguments.rest.count > 1 {
      throw CommandError(
        .usage,
        "One model is looked at; leave out '\(arguments.rest.dropFirst().joined(separator: " "))'.")
    }
    if common.model != nil {
      throw CommandError(.usage, "--model names the model; leave out '\(word)'.")
    }
    return try ModelLocation.find(word, quiet: common.isQuiet)
  }
}
