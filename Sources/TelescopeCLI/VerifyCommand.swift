internal import Foundation
internal import Telescope

/// `telescope verify`: what must hold of every model, tried on a person's own.
enum VerifyCommand {
  private static let forms: [String: Arguments.Form] = [
    "--prompt": .value, "--ids": .list { Int($0).map { $0 >= 0 } ?? false }, "--chat": .alone,
    "--bos": .alone, "--no-bos": .alone, "--json": .value, "--reproducible": .alone,
  ]

  /// What runs where no text is given: names, numbers, a repetition, and more tokens than a small window.
  static let text = "The capital of France is Paris, and in 2024 the capital of Italy is"

  static func run(_ words: [String]) throws {
    let arguments = try Arguments(
      words, CommonOptions.forms.merging(forms) { common, _ in common }, of: "verify")
    if arguments.flag("--help", "-h") { return try Terminal.write(help) }
    if arguments.flag("--version") { return try Terminal.write(Main.version) }
    let common = try CommonOptions(arguments)
    let place = try PromptOptions(arguments)
    if arguments.flag("--ids") && arguments.flag("--prompt") {
      throw CommandError(.usage, "--ids and --prompt contradict each other; give one.")
    }
    let outputs = try [ExplainRequest.Output].asked(of: arguments)
    for output in outputs { try output.file?.check() }
    let url = try ModelArgument.location(arguments, common)
    let hash = HashTask(url)
    let loaded = try common.load(url)
    var notes: [String] = []
    var prompt = try place.prompt(
      place.hasIDs ? nil : arguments.value("--prompt") ?? text, loaded, &notes)
    // The sentence that nobody asked for gives way to a small context.
    if !place.hasIDs && !arguments.flag("--prompt") {
      prompt.ids = Array(prompt.ids.prefix(loaded.model.shape.contextLength))
    }

    Progress.current.begin("Verifying", quiet: common.isQuiet)
    defer { Progress.current.end() }
    let verification = try Verification(loaded, on: prompt)
    var result = try verification.verify(further: verification.flowChecks) { share, done in
      Progress.current.update(share)
      if let done { Progress.current.describe(VerifyReport.line(for: done, style: Terminal.style)) }
    }
    Progress.current.end()
    result.model.sha256 = try hash.value()
    result.warnings = notes
    if arguments.flag("--reproducible") { result.timingsMs = nil }
    try outputs.write(common) { _ in
      try result.encoded()
    } onScreen: {
      VerifyReport.text(for: result, style: Terminal.style)
    }
    let failed = result.invariants.filter { $0.verdict == .fail }.map(\.name)
    if !failed.isEmpty {
      throw CommandError(
        .badData,
        "\(loaded.name) does not pass: \(failed.joined(separator: ", ")). Its files may be damaged, or "
          + "Telescope computes it wrongly; compare it with another copy, and report it if that fails "
          + "too.")
    }
  }

  static let help = """
    usage: telescope verify [options] [MODEL]

    Runs on a model what must hold of every model and every attribution: sums that meet their
    wholes at each level, runs that must not differ (batch, cache, threads, fused attention),
    later tokens that must not matter, integrals against changes and against autograd. Prints
    a table of what was measured and what is allowed for the element type. Exit code 0 when
    all hold, 65 when one fails.

    What runs
      --model MODEL            the same as naming it
      --prompt TEXT            the text, at least three tokens (default: a sentence)
      --ids ID …               the text as token ids
      --chat                   wrap the text in the model's chat template
      --bos, --no-bos          begin with the beginning-of-text token, or not
                               (default: as the model's files say)

    Where to
      --json FILE              everything, schema telescope/verify/1 (- for standard output)
      --reproducible           leave out wall times, so that the same run gives the same bytes

    Everywhere
    \(CommonOptions.help)

    """
}

/// Options that say how a text becomes ids, as several commands have them.
struct PromptOptions {
  let hasIDs: Bool
  private let ids: [Int]
  private let isChat: Bool
  private let adding: Bool?

  /// - Throws: `CommandError` for options that contradict each other.
  init(_ arguments: Arguments) throws {
    for (first, second) in [
      ("--bos", "--no-bos"), ("--ids", "--chat"), ("--ids", "--bos"), ("--ids", "--no-bos"),
      ("--chat", "--bos"), ("--chat", "--no-bos"),
    ] where arguments.flag(first) && arguments.flag(second) {
      throw CommandError(.usage, "\(first) and \(second) contradict each other; give one.")
    }
    hasIDs = arguments.flag("--ids")
    ids = try arguments.list("--ids")?.compactMap { Int($0) } ?? []
    isChat = arguments.flag("--chat")
    adding = arguments.flag("--bos") ? true : arguments.flag("--no-bos") ? false : nil
  }

  /// What turns texts into ids.
  func reader(_ loaded: LoadedModel) throws -> PromptReader {
    try PromptReader(loaded, isChat: isChat, adding: adding)
  }

  /// The prompt of a text, or of the ids that were given.
  func prompt(
    _ text: String?, _ loaded: LoadedModel, _ notes: inout [String]
  ) throws -> Explainer.Prompt {
    let reader = try reader(loaded)
    guard let text else { return reader.prompt(ids: ids) }
    return try reader.prompt(text, "The text", &notes)
  }
}
