internal import Foundation
internal import Telescope

/// `telescope lens means`: what the blocks do on the mean, from a text file.
enum LensMeans {
  private static let command = "lens means"

  private static let forms: [String: Arguments.Form] = [
    "--input": .value, "-o": .value, "--output": .value, "--sequence": .value,
  ]

  static func run(_ words: [String]) throws {
    let arguments = try Arguments(
      words, CommonOptions.forms.merging(forms) { common, _ in common }, of: command)
    if arguments.flag("--help", "-h") { return try Terminal.write(help) }
    if arguments.flag("--version") { return try Terminal.write(Main.version) }
    let common = try CommonOptions(arguments)
    let length = try arguments.integer("--sequence", in: 2...1_000_000) ?? 128
    let input = try LensInput(arguments, command: command)
    let output = try lensOutput(arguments)
    let url = try ModelLocation.find(common.model, quiet: common.isQuiet)
    let hash = HashTask(url)
    let loaded = try common.load(url)
    let text = try LensText(input.text, sha256: input.sha256, for: loaded, length: length)
    Progress.current.begin("Averaging", quiet: common.isQuiet)
    defer { Progress.current.end() }
    let means = try MeanUpdates(
      of: text, in: loaded, modelHash: hash.value(), toolVersion: telescopeVersion,
      memory: common.memory.map { $0 - loaded.weightBytes }, progress: Progress.current.update)
    try OutputFile.uninterrupted { try means.save(to: URL(fileURLWithPath: output.target)) }
    Progress.current.end()
    try Terminal.write(
      "\(loaded.name) · the mean embedding and the mean updates of \(means.updates.count) layers "
        + "over \(means.origin.tokens) tokens\n")
    if !common.isQuiet { Terminal.note("Wrote \(output.path)") }
  }

  static let help = """
    usage: telescope lens means [options] --input FILE.txt -o means.safetensors

    Runs the model over a text and averages, over all positions, what enters the first layer and
    what each layer adds to it. Those means stand for the layers that a completed path has not
    reached yet.

      --input FILE             the text, UTF-8
      -o, --output FILE        the means, safetensors with their provenance
      --sequence N             tokens that are read together (default 128)

    Everywhere
    \(CommonOptions.help)

    """
}
