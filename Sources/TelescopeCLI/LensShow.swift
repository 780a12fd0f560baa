internal import Foundation
internal import Telescope

/// `telescope lens show`: tokens × layers.
enum LensShow {
  private static let command = "lens show"

  private static let forms: [String: Arguments.Form] = [
    "--lens": .value, "--unverified-lens": .alone, "--moment": .value,
    "--layers": .list { $0 == "embedding" || Int($0) != nil }, "--k": .value,
    "--positions": .list(accepts: isCount), "--top": .value, "--answer": .value,
    "--target": .value, "--ids": .list(accepts: isCount), "--chat": .alone, "--bos": .alone,
    "--no-bos": .alone, "--json": .value, "--csv": .value, "--html": .value,
    "--reproducible": .alone,
  ]

  @Sendable private static func isCount(_ word: String) -> Bool {
    Int(word).map { $0 >= 0 } ?? false
  }

  static func run(_ words: [String]) throws {
    let arguments = try Arguments(
      words, CommonOptions.forms.merging(forms) { common, _ in common }, of: command)
    if arguments.flag("--help", "-h") { return try Terminal.write(help) }
    if arguments.flag("--version") { return try Terminal.write(Main.version) }
    let common = try CommonOptions(arguments)
    try checkTogether(arguments)
    var options = LogitLens.Options()
    options.moment = try arguments.choice("--moment", Site.Moment.allCases, \.rawValue) ?? .after
    options.layers = try layers(arguments)
    options.positions = try arguments.list("--positions")?.compactMap { Int($0) }
    options.top = try arguments.integer("--top", in: 0...1000) ?? 5
    let outputs = try [ExplainRequest.Output].asked(of: arguments)
    let text = try PromptText.read(arguments.rest, "text", hasIDs: arguments.flag("--ids"))
    for output in outputs { try output.file?.check() }

    let url = try ModelLocation.find(common.model, quiet: common.isQuiet)
    let hash = HashTask(url)
    let loaded = try common.load(url)
    let lens = try lens(arguments, loaded, hash)
    var notes = lens.notes
    let prompt = try prompt(arguments, text, loaded, &notes)
    if let answer = try arguments.value("--answer") {
      options.answer = loaded.tokenizer.encode(answer).ids
      guard !options.answer.isEmpty else {
        throw CommandError(
          .usage, "--answer: the text gives no tokens; give at least one character.")
      }
    }
    options.target = try target(arguments, loaded)
    options.memory = common.memory.map { $0 - loaded.weightBytes }
    Progress.current.begin("Reading the layers", quiet: common.isQuiet)
    defer { Progress.current.end() }
    var result = try lens.lens.show(prompt, options, progress: Progress.current.update)
    Progress.current.end()
    result.model.sha256 = try hash.value()
    result.warnings = notes + result.warnings
    if arguments.flag("--reproducible") { result.timingsMs = nil }
    try outputs.write(common) { format in
      switch format {
      case .json: try result.encoded()
      case .csv: Data(LensReport.csv(for: result).utf8)
      case .html: Data(try LensReport.page(for: result).utf8)
      }
    } onScreen: {
      LensReport.text(for: result, style: Terminal.style, top: options.top)
    }
  }

  /// Refuses options that contradict each other, so that none is read and ignored.
  private static func checkTogether(_ arguments: Arguments) throws {
    for (first, second) in [
      ("--layers", "--k"), ("--bos", "--no-bos"), ("--ids", "--chat"), ("--ids", "--bos"),
      ("--ids", "--no-bos"), ("--chat", "--bos"), ("--chat", "--no-bos"),
    ] where arguments.flag(first) && arguments.flag(second) {
      throw CommandError(.usage, "\(first) and \(second) contradict each other; give one.")
    }
    if arguments.flag("--unverified-lens") && !arguments.flag("--lens") {
      throw CommandError(.usage, "--unverified-lens goes with --lens; leave it out.")
    }
  }

  private static func layers(_ arguments: Arguments) throws -> LayerChoice {
    if let listed = try arguments.list("--layers") { return .these(listed.map { Int($0) ?? -1 }) }
    return try arguments.integer("--k", in: 1...100_000).map(LayerChoice.evenly) ?? .all
  }

  private static func lens(
    _ arguments: Arguments, _ loaded: LoadedModel, _ hash: HashTask
  ) throws -> (lens: LogitLens, notes: [String]) {
    guard let path = try arguments.value("--lens") else { return (try LogitLens(loaded), []) }
    let url = URL(fileURLWithPath: (path as NSString).expandingTildeInPath)
    let unverified = arguments.flag("--unverified-lens")
    let tuned = try TunedLens(
      at: url, for: loaded, modelHash: hash.value(), unverified: unverified)
    let isKnown = try tuned.origin.provenance?.modelSHA256 == hash.value()
    let notes =
      isKnown
      ? []
      : [
        "Whether the lens \(tuned.origin.file) was trained for this very model is not known; "
          + "--unverified-lens took your word for it."
      ]
    return (try LogitLens(loaded, translating: tuned), notes)
  }

  private static func prompt(
    _ arguments: Arguments, _ text: String?, _ loaded: LoadedModel, _ notes: inout [String]
  ) throws -> Explainer.Prompt {
    let reader = try PromptReader(
      loaded, isChat: arguments.flag("--chat"),
      adding: arguments.flag("--bos") ? true : arguments.flag("--no-bos") ? false : nil)
    guard let text else {
      return reader.prompt(ids: try arguments.list("--ids")?.compactMap { Int($0) } ?? [])
    }
    return try reader.prompt(text, "The text", &notes)
  }

  private static func target(_ arguments: Arguments, _ loaded: LoadedModel) throws -> Int? {
    guard let text = try arguments.value("--target") else { return nil }
    let ids = loaded.tokenizer.encode(text).ids
    guard ids.count == 1 else {
      throw CommandError(
        .usage,
        "--target '\(text)': the text is \(ids.count) tokens; give exactly one (with its leading "
          + "space, if it has one).")
    }
    return ids[0]
  }

  static let help = """
    usage: telescope lens show [options] "text"
           telescope lens show [options] -        the text from standard input

    Reads the state of every layer at every position with the model's own final norm and head,
    as if no layer followed (logit lens), or through a tuned lens. Each cell has the most
    probable tokens and, for the token that comes next, probability, logit and rank; the
    entropy; and KL(model | lens), which is 0 at the model's own output. In an encoder the
    token is the one that stands there, and at a mask the model's own choice.

    What is read
      --lens FILE              a tuned lens: safetensors, params.pt, or the folder of one
      --unverified-lens        use a lens that does not say that it is for this very model file
      --moment M               before, middle (after attention) or after (default) each block
      --layers L …             numbers from 0, and 'embedding' (default all)
      --k N                    N layers, evenly spaced, the last included
      --positions P …          positions, from 0 (default all)
      --target TOKEN           this token's numbers everywhere (default: the next token of the
                               text; at its end, the model's own choice)
      --answer TEXT            a continuation of the text, whose tokens are read as targets
      --ids ID …               the text as token ids
      --chat                   wrap the text in the model's chat template
      --bos, --no-bos          begin with the beginning-of-text token, or not
                               (default: as the model's files say)
      --top N                  most probable tokens listed per cell (default 5)

    Where to
      --json FILE              everything, schema telescope/lens/1 (- for standard output)
      --csv FILE               one line per position and layer
      --html FILE              one page that needs no network
      --reproducible           leave out wall times, so that the same run gives the same bytes

    Everywhere
    \(CommonOptions.help)

    """
}
