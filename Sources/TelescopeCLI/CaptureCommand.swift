internal import Foundation
internal import Telescope

/// `telescope capture`: what a forward pass shows, as a file for other programs.
enum CaptureCommand {
  @Sendable private static func isCount(_ word: String) -> Bool {
    Int(word).map { $0 >= 0 } ?? false
  }

  private static let forms: [String: Arguments.Form] = [
    "--sites": .value, "-o": .value, "--output": .value, "--positions": .list(accepts: isCount),
    "--ids": .list(accepts: isCount), "--chat": .alone, "--bos": .alone, "--no-bos": .alone,
  ]

  static func run(_ words: [String]) throws {
    let arguments = try Arguments(
      words, CommonOptions.forms.merging(forms) { common, _ in common }, of: "capture")
    if arguments.flag("--help", "-h") { return try Terminal.write(help) }
    if arguments.flag("--version") { return try Terminal.write(Main.version) }
    let common = try CommonOptions(arguments)
    let place = try PromptOptions(arguments)
    let names = arguments.values("--sites").flatMap {
      $0.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    }.filter { !$0.isEmpty }
    guard !names.isEmpty else {
      throw CommandError(
        .usage,
        "--sites says what is written, such as --sites residual.after,logits; telescope inspect lists "
          + "a model's sites.")
    }
    let output = try output(arguments)
    let positions = try arguments.list("--positions")?.compactMap { Int($0) }
    let text = try PromptText.read(arguments.rest, "text", hasIDs: place.hasIDs)
    try output.check()

    let url = try ModelLocation.find(common.model, quiet: common.isQuiet)
    let hash = HashTask(url)
    let loaded = try common.load(url)
    let sites = try loaded.model.sites(named: names)
    var notes: [String] = []
    let prompt = try place.prompt(text, loaded, &notes)
    Progress.current.begin("Capturing", quiet: common.isQuiet)
    defer { Progress.current.end() }
    let capture = try Capture(
      Set(sites), of: tokens(of: prompt, try place.reader(loaded)), at: positions,
      in: loaded.model)
    let remarks = [
      "model": loaded.name, "model_sha256": try hash.value(), "tool_version": telescopeVersion,
    ]
    try OutputFile.uninterrupted {
      try capture.write(
        to: URL(fileURLWithPath: output.target), remarks: remarks,
        progress: Progress.current.update)
    }
    Progress.current.end()
    for note in notes { Terminal.note("telescope: " + note) }
    if !common.isQuiet {
      let count = sites.count == 1 ? "1 site" : "\(sites.count) sites"
      Terminal.note("Wrote \(output.path): \(count) of \(prompt.ids.count) tokens")
    }
  }

  private static func output(_ arguments: Arguments) throws -> OutputFile {
    let given = try [("-o", arguments.value("-o")), ("--output", arguments.value("--output"))]
      .compactMap { option, path in path.map { OutputFile(option: option, path: $0) } }
    guard let file = given.first, given.count == 1 else {
      throw CommandError(
        .usage,
        given.isEmpty
          ? "-o says where the values go, such as -o run.safetensors."
          : "-o and --output are one option; give one.")
    }
    if file.path == "-" {
      throw CommandError(.usage, "-o -: the values go to a file, which appears whole; name one.")
    }
    return file
  }

  /// The ids with the bytes of the text that each stands for; tokens around a text are empty ranges.
  static func tokens(
    of prompt: Explainer.Prompt, _ reader: PromptReader
  ) -> TokenizedText {
    let tokenizer = reader.loaded.tokenizer
    let own = tokenizer.encode(prompt.text, specialTokens: reader.readsSpecialTokens)
    let end = prompt.text.utf8.count
    for start in 0...max(0, prompt.ids.count - own.count)
    where prompt.ids.dropFirst(start).starts(with: own.ids) {
      let after = prompt.ids.count - start - own.count
      return TokenizedText(
        text: prompt.text, ids: prompt.ids,
        ranges: Array(repeating: 0..<0, count: start) + own.ranges
          + Array(repeating: end..<end, count: max(0, after)))
    }
    // Ids that no text gives: each token's bytes, one after another.
    var ends = [0]
    for id in prompt.ids {
      ends.append(min(end, ends[ends.count - 1] + tokenizer.bytes(of: id).count))
    }
    return TokenizedText(
      text: prompt.text, ids: prompt.ids, ranges: zip(ends, ends.dropFirst()).map { $0..<$1 })
  }

  static let help = """
    usage: telescope capture [options] --sites NAMES -o FILE "text"
           telescope capture [options] --sites NAMES -o FILE -    the text from standard input

    Runs a model once over a text and writes what it shows as safetensors: one tensor per
    site, named and shaped as telescope inspect lists them, in the type of the computation;
    with them tokens.ids, tokens.ranges (each token's bytes in the text) and, in the file's
    remarks, the model, its hash and the text.

    What is written
      --sites NAMES            joined by commas: residual.after (all layers),
                               attention.output.3, residual.after.0-3, logits, …; repeatable
      --positions P …          rows of these positions, from 0 (default all)
      -o FILE, --output FILE   where to; the file appears whole or not at all

    What runs
      --ids ID …               the text as token ids
      --chat                   wrap the text in the model's chat template
      --bos, --no-bos          begin with the beginning-of-text token, or not
                               (default: as the model's files say)

    Everywhere
    \(CommonOptions.help)

    """
}
