internal import Foundation
internal import Telescope

/// `telescope attribute METHOD`: the gradient family, and what it is compared with.
enum AttributeCommand {
  private static let own: [String: Arguments.Form] = [
    "--baseline": .value, "--steps": .value, "--quadrature": .value, "--tol": .value,
    "--samples": .value, "--noise": .value, "--seed": .value, "--neighbours": .value,
    "--rules": .value, "--at": .value, "--scope": .value, "--neuron": .value,
    "--norms": .value, "--threshold": .value, "--hold": .list { Int($0).map { $0 >= 0 } ?? false },
  ]

  private static let forms: [String: Arguments.Form] = [
    "--contrast": .value, "--units": .value, "--ids": .list { Int($0).map { $0 >= 0 } ?? false },
    "--chat": .alone, "--bos": .alone, "--no-bos": .alone, "--json": .value, "--csv": .value,
    "--html": .value, "--top": .value, "--reproducible": .alone,
  ].merging(own) { $1 }.merging(MetricWords.forms) { $1 }

  static func run(_ words: [String]) throws {
    let arguments = try Arguments(
      words, CommonOptions.forms.merging(forms) { common, _ in common }, of: "attribute")
    if arguments.flag("--help", "-h") { return try Terminal.write(help) }
    if arguments.flag("--version") { return try Terminal.write(Main.version) }
    let common = try CommonOptions(arguments)
    let method = try method(arguments.rest.first)
    try refuse(arguments, method)
    let place = try PromptOptions(arguments)
    var choices = try choices(arguments)
    let metric = try MetricWords(arguments)
    let levels = try levels(arguments, method)
    let top = try arguments.integer("--top", in: 1...100_000)
    let outputs = try [ExplainRequest.Output].asked(of: arguments)
    let text = try PromptText.read(
      Array(arguments.rest.dropFirst()), "text", hasIDs: place.hasIDs)
    for output in outputs { try output.file?.check() }

    let url = try ModelLocation.find(common.model, quiet: common.isQuiet)
    let hash = HashTask(url)
    let loaded = try common.load(url)
    choices.start = try start(arguments, loaded)
    var plan = AttributionPlan(try method.make(choices), levels: levels)
    plan.metric = try metric.choice(in: loaded)
    plan.start = choices.start
    plan.held = try arguments.list("--hold")?.compactMap { Int($0) } ?? []
    plan.top = max(100, top ?? 0)
    plan.memory = common.memory.map { $0 - loaded.weightBytes }
    var notes: [String] = []
    let prompt = try place.prompt(text, loaded, &notes)
    let contrast = try arguments.value("--contrast").map {
      try place.reader(loaded).prompt($0, "The contrast", &notes)
    }

    Progress.current.begin("Attributing", quiet: common.isQuiet)
    defer { Progress.current.end() }
    var result = try plan.result(
      of: prompt, contrast: contrast, in: loaded, progress: Progress.current.update)
    Progress.current.end()
    result.model.sha256 = try hash.value()
    result.warnings = notes + result.warnings
    if arguments.flag("--reproducible") { result.timingsMs = nil }
    try outputs.write(common) { format in
      switch format {
      case .json: try result.encoded()
      case .csv: Data(AttributionReport.csv(for: result).utf8)
      case .html: Data(try AttributionReport.html(for: result).utf8)
      }
    } onScreen: {
      AttributionReport.text(for: result, style: Terminal.style, top: top ?? 10)
    }
  }

  // MARK: - Words

  private static func method(_ word: String?) throws -> AttributeMethod {
    let names = AttributeMethod.all.map(\.name).joined(separator: ", ")
    guard let word else {
      throw CommandError(
        .usage, "There is no method; name one before the text: \(names).")
    }
    guard let method = AttributeMethod.all.first(where: { $0.name == word }) else {
      throw CommandError(
        .usage, "There is no method '\(word)'; the methods are \(names).")
    }
    return method
  }

  private static let metric = ["--answer", "--versus", "--target"]

  /// Refuses what the method would ignore.
  private static func refuse(_ arguments: Arguments, _ method: AttributeMethod) throws {
    for option in own.keys.sorted() where arguments.has(option) {
      guard method.options.contains(option) else {
        throw CommandError(
          .usage,
          "\(option) is no option of \(method.name)"
            + (method.options.isEmpty
              ? ", which has none of its own; leave it out."
              : "; it has \(method.options.sorted().joined(separator: ", "))."))
      }
    }
    for (options, lacks) in [(["--contrast"], method.lacksStart), (metric, method.lacksMetric)]
    where lacks {
      for option in options where arguments.has(option) {
        throw CommandError(
          .usage,
          "\(method.name) knows nothing of \(option), and would give the same without; leave it out."
        )
      }
    }
    if arguments.has("--contrast"), arguments.has("--baseline") {
      throw CommandError(
        .usage, "Paths start from --contrast or from --baseline; give one.")
    }
  }

  private static func levels(
    _ arguments: Arguments, _ method: AttributeMethod
  ) throws -> [AttributionLevel] {
    guard let text = try arguments.value("--units") else { return method.levels }
    if text == "all" { return method.allowed }
    let names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    let found = names.map { name in method.allowed.first { $0.name == name } }
    guard !found.contains(where: { $0 == nil }) else {
      throw CommandError(
        .usage,
        "--units '\(text)': \(method.name) scores "
          + "\((method.allowed.map(\.name) + ["all"]).joined(separator: ", ")).")
    }
    return method.allowed.filter { names.contains($0.name) }
  }

  private static func choices(_ arguments: Arguments) throws -> AttributeChoices {
    var choices = AttributeChoices()
    choices.steps = try arguments.integer("--steps", in: 1...4096)
    choices.tolerance = try arguments.number("--tol", "a number above 0 and below 1") {
      $0 > 0 && $0 < 1
    }
    choices.quadrature = try arguments.choice(
      "--quadrature", AttributeChoices.quadratures, \.self)
    choices.samples = try arguments.integer("--samples", in: 1...100_000)
    choices.noise = try arguments.number("--noise", "a number above 0") { $0 > 0 && $0 < 1e6 }
    choices.seed = try arguments.integer("--seed", in: 0...Int.max) ?? 0
    choices.neighbours = try arguments.integer("--neighbours", in: 1...100_000)
    choices.point = try arguments.choice("--at", LinearisationPoint.allCases, \.rawValue)
    choices.scope = try arguments.choice("--scope", ActivationIG.Scope.allCases, \.rawValue)
    choices.rules = try arguments.value("--rules").map { text in
      guard let rules = BackwardRules(text) else {
        throw CommandError(
          .usage,
          "--rules '\(text)': give \(BackwardRules.named.map(\.name).joined(separator: ", ")), or changes to "
            + "the gradient such as norm=frozen,pattern=frozen,product=half,activation=ratio.")
      }
      return rules
    }
    choices.norms = try arguments.choice("--norms", AttentionNorms.Kind.allCases, \.rawValue)
    choices.threshold = try arguments.number("--threshold", "a number from 0 to below 1") {
      $0 >= 0 && $0 < 1
    }
    choices.neuron = try arguments.value("--neuron").map { text in
      let numbers = text.split(whereSeparator: { $0 == "." || $0 == "@" }).compactMap { Int($0) }
      guard numbers.count == 3, numbers.allSatisfy({ $0 >= 0 }),
        text == "\(numbers[0]).\(numbers[1])@\(numbers[2])"
      else {
        throw CommandError(
          .usage, "--neuron '\(text)': give LAYER.NEURON@POSITION, such as 12.431@5.")
      }
      return (numbers[0], numbers[1], numbers[2])
    }
    return choices
  }

  private static func start(
    _ arguments: Arguments, _ loaded: LoadedModel
  ) throws -> GradientSetting.Start {
    guard let text = try arguments.value("--baseline") else { return .zero }
    switch text {
    case "zero": return .zero
    case "mean": return .mean
    default:
      guard text.hasPrefix("token:") else {
        throw CommandError(
          .usage, "--baseline '\(text)': choose zero, mean or token:TEXT, or give --contrast.")
      }
      return .token(
        try SingleToken.id(String(text.dropFirst(6)), "--baseline", loaded))
    }
  }

  static let help = """
    usage: telescope attribute METHOD [options] "text"

    Scores what a prediction is made of: tokens, or the units of each layer. Positive supports
    the metric. Where the theory says what scores must sum to, the sum stands beside it.

    Methods
    \(AttributeMethod.all.map { "  " + $0.name.padding(toLength: 24, withPad: " ", startingAt: 0) + " " + $0.says }
      .joined(separator: "\n"))

    What is attributed (by default the logit of what the model says next)
      --answer TOKEN           this token instead, as it stands in a text: " Paris"
      --versus TOKEN           less this one's: a difference (with --contrast: what the model
                               says there)
      --target T               logit (default), prob, logprob
      --position P             what is predicted at this position (default the last)
      --units U                token, residual, attention, mlp, head, neuron, joined by commas,
                               or all that the method has

    From where
      --contrast TEXT          another text of as many tokens: paths start there, values are
                               compared with its values
      --baseline B             zero (default), mean (of the text's embeddings), token:TEXT
      --hold P …               positions that start as they are: a first token that only begins
                               the text, or serves as a sink

    How exactly (each method has some)
      --steps N                nodes of the path
      --quadrature Q           left, right, midpoint, trapezoid, gauss-legendre
      --tol X                  refine until the sum misses less than this share (ig: 1e-3)
      --samples N, --seed N    of what is random
      --noise X                smoothgrad: σ over the embeddings' standard deviation (0.15)
      --neighbours N           dig: words looked at for each step (500)
      --rules R                relp: relp (default), relp-jafari, cp-lrp, gradient, or changes
                               to the gradient: norm=frozen,pattern=frozen,product=half,…
      --at clean|patch         relp, atp: the run whose gradients are taken (default clean)
      --scope layer|all        ig-activations: a layer's values move, the others follow
                               (default), or all layers' values at once
      --norms K                attention-norms: block (default: with residual and norm), weighted
      --threshold X            information-flow: edges of less importance are left out (0.04)
      --neuron L.N@P           neuron-conductance: neuron N of layer L at position P

    What runs
      --ids ID …               the text as token ids
      --chat                   wrap texts in the model's chat template
      --bos, --no-bos          with the tokens that stand around a text, or not
                               (default: as the model's files say)

    Where to
      --json FILE              everything, schema telescope/attribution/1 (- for standard output)
      --csv FILE               one line per number
      --html FILE              one page that needs no network
      --top N                  units listed on screen (default 10)
      --reproducible           leave out wall times, so that the same run gives the same bytes

    Everywhere
    \(CommonOptions.help)

    """
}

/// A token that a person names by its text.
enum SingleToken {
  /// Its id.
  ///
  /// - Throws: `CommandError` for a text of several tokens, which it shows, or of none.
  static func id(_ text: String, _ option: String, _ loaded: LoadedModel) throws -> Int {
    let ids = loaded.tokenizer.encode(text, specialTokens: true).ids
    guard ids.count == 1 else {
      let pieces = ids.map { "'\(Terminal.shown(loaded.tokenizer.text(of: $0)))'" }
      throw CommandError(
        .usage,
        "\(option) '\(Terminal.shown(text))' is \(ids.count) tokens"
          + (pieces.isEmpty ? "" : " (\(pieces.joined(separator: ", ")))")
          + "; name one, with the space before it where it begins a word.")
    }
    return ids[0]
  }
}
