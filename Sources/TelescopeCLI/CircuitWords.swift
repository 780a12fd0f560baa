internal import Foundation
internal import Telescope

/// The words of `telescope circuit` as values.
struct CircuitWords {
  /// Where prompts come from.
  enum Source {
    case task(PromptTask)
    case text(String)
  }

  var scorings: [NodeScoring]
  var place: PromptOptions
  var outputs: [ExplainRequest.Output]
  /// Where the circuit goes as another program's graph.
  var graph: InputRequest.Place?
  var isReproducible: Bool
  var contrast: String?
  var answer: String?
  var versus: String?
  var train: Int
  var test: Int
  var seed: Int
  private var task: PromptTask?
  private var base = CircuitPlan()
  private var ablation: Ablation?

  private static let forms: [String: Arguments.Form] = [
    "--task": .value, "--train": .value, "--seed": .value, "--contrast": .value,
    "--answer": .value, "--versus": .value, "--chat": .alone, "--bos": .alone, "--no-bos": .alone,
    "--method": .list(accepts: isMethod), "--unit": .value, "--sum-positions": .alone,
    "--rules": .value, "--at": .value, "--steps": .value, "--select": .value, "--json": .value,
    "--csv": .value, "--html": .value, "--reproducible": .alone,
  ]
  static let traceForms = forms.merging([
    "--top": .value, "--mass": .value, "--threshold": .value, "--graph": .value,
  ]) { $1 }
  static let evaluateForms = forms.merging([
    "--test": .value, "--ablation": .value, "--thresholds": .value,
  ]) { $1 }

  /// What stands between two options in every list is a name of a method or a mistake.
  @Sendable private static func isMethod(_ word: String) -> Bool {
    NodeScoring.names.contains(word)
  }

  init(_ arguments: Arguments, evaluates: Bool = false) throws {
    place = try PromptOptions(arguments)
    train = try arguments.integer("--train", in: 1...1_000_000) ?? 100
    test = evaluates ? try arguments.integer("--test", in: 1...1_000_000) ?? 40 : 0
    let seed = try arguments.integer("--seed", in: 0...Int.max) ?? 0
    self.seed = seed
    contrast = try arguments.value("--contrast")
    answer = try arguments.value("--answer")
    versus = try arguments.value("--versus")
    scorings = try Self.scorings(arguments, seed: seed)
    base.kind = try arguments.choice("--unit", UnitKind.allCases, \.rawValue) ?? .neuron
    base.sumsPositions = arguments.flag("--sum-positions")
    let kind = try arguments.choice("--select", CircuitSelection.Kind.allCases, \.rawValue)
    base.selection = kind ?? .topAbsolute
    base.steps = try arguments.integer("--thresholds", in: 1...1000) ?? 20
    ablation = try arguments.choice("--ablation", Ablation.allCases, \.rawValue)
    if !evaluates { base.choice = try Self.choice(arguments, kind) }
    outputs = try .asked(of: arguments)
    graph = try arguments.value("--graph").map { InputRequest.Place("--graph", path: $0) }
    isReproducible = arguments.flag("--reproducible")
    try Self.check(graph, beside: outputs)
    try Self.checkTogether(arguments, evaluates: evaluates)
    task = try arguments.value("--task").map { name in
      if let task = PromptTask.named(name) { return task }
      return try PromptTask(
        contentsOf: URL(fileURLWithPath: (name as NSString).expandingTildeInPath))
    }
  }

  /// What the prompts are made from.
  ///
  /// - Throws: `CommandError` for a task beside a text, or neither.
  func source(_ rest: [String]) throws -> Source {
    guard let task else {
      guard !rest.isEmpty else {
        throw CommandError(
          .usage,
          "There are no prompts; name a task by --task (\(PromptTask.all.map(\.name).joined(separator: ", "))"
            + ", or a file), or give a text in quotes.")
      }
      return .text(try PromptText.read(rest, "text", hasIDs: false) ?? "")
    }
    if let word = rest.first {
      throw CommandError(.usage, "--task gives the prompts; leave out '\(word)'.")
    }
    return .task(task)
  }

  /// What is asked of prompts: means need changed prompts to be of.
  func plan(for prompts: PromptSet, memory: Int?) -> CircuitPlan {
    var plan = base
    plan.memory = memory
    plan.ablation = ablation ?? (prompts.hasPatches ? .mean : .zero)
    return plan
  }

  var sumsPositions: Bool { base.sumsPositions }
  var kind: UnitKind { base.kind }

  private static func scorings(_ arguments: Arguments, seed: Int) throws -> [NodeScoring] {
    let names = try arguments.list("--method") ?? ["relp"]
    if let name = names.first(where: { name in names.count { $0 == name } > 1 }) {
      throw CommandError(.usage, "--method names \(name) twice; name each method once.")
    }
    let rules = try arguments.choice("--rules", BackwardRules.named, \.name)
    let point = try arguments.choice("--at", LinearisationPoint.allCases, \.rawValue)
    let steps = try arguments.integer("--steps", in: 1...4096)
    for (option, isGiven, takers) in [
      ("--rules", rules != nil, ["relp", "relp-paired"]),
      ("--at", point != nil, ["relp-paired", "atp"]),
      ("--steps", steps != nil, ["ig-activations", "conductance", "eap-ig"]),
    ] where isGiven && Set(takers).isDisjoint(with: names) {
      throw CommandError(
        .usage, "\(option) is of --method \(takers.joined(separator: ", ")); leave it out.")
    }
    return names.compactMap {
      NodeScoring(
        $0, steps: steps, rules: rules?.rules ?? .relp, at: point ?? .clean, seed: seed)
    }
  }

  private static func choice(
    _ arguments: Arguments, _ kind: CircuitSelection.Kind?
  ) throws -> CircuitPlan.NodeChoice {
    let options = ["--top", "--mass", "--threshold"].filter(arguments.has)
    guard options.count < 2 else {
      throw CommandError(
        .usage, "\(options.joined(separator: " and ")) contradict each other; give one.")
    }
    let top = try arguments.integer("--top", in: 1...1_000_000_000)
    if let share = try arguments.number(
      "--mass", "a share above 0 and up to 1",
      where: {
        $0 > 0 && $0 <= 1
      })
    {
      guard kind == nil || kind == .topAbsolute else {
        throw CommandError(.usage, "--mass goes by magnitude; leave out --select.")
      }
      return .mass(share)
    }
    let threshold = try arguments.number("--threshold", "a number of 0 or more") {
      $0 >= 0 && $0.isFinite
    }
    if let threshold {
      guard kind == nil || kind == .threshold else {
        throw CommandError(.usage, "--threshold goes with --select threshold; leave one out.")
      }
      return .above(threshold)
    }
    guard kind != .threshold else {
      throw CommandError(.usage, "--select threshold needs a number; give it by --threshold.")
    }
    return .top(top ?? 100, signed: kind == .topSigned)
  }

  /// Refuses options that nothing would read.
  private static func checkTogether(_ arguments: Arguments, evaluates: Bool) throws {
    let hasTask = arguments.has("--task")
    for option in ["--contrast", "--answer", "--versus", "--chat"]
    where hasTask && arguments.flag(option) {
      throw CommandError(.usage, "--task and \(option) contradict each other; give one.")
    }
    for option in ["--train", "--test"] where !hasTask && arguments.has(option) {
      throw CommandError(.usage, "\(option) goes with --task; leave it out.")
    }
    let draws = try arguments.list("--method")?.contains("random") == true
    if arguments.has("--seed") && !hasTask && !draws {
      throw CommandError(.usage, "--seed goes with --task or --method random; leave it out.")
    }
    for option in ["--contrast", "--answer", "--versus"]
    where try arguments.value(option)?.isEmpty == true {
      throw CommandError(.usage, "\(option): the text is empty; give at least one token.")
    }
  }

  // MARK: - Where results go

  /// Refuses a graph that goes where another output goes.
  private static func check(
    _ graph: InputRequest.Place?, beside outputs: [ExplainRequest.Output]
  ) throws {
    guard let graph else { return }
    guard let file = graph.file else {
      guard outputs.allSatisfy({ $0.file != nil }) else {
        throw CommandError(
          .usage, "Only one of --json, --csv, --html and --graph can go to standard output.")
      }
      return
    }
    if outputs.contains(where: { $0.file?.target == file.target }) {
      throw CommandError(
        .usage,
        "--graph '\(file.path)': another output goes to the same file; name a different one.")
    }
  }

  /// Checks, before any work is done, that files can be written.
  func checkOutputs() throws {
    for output in outputs { try output.file?.check() }
    try graph?.file?.check()
  }

  /// Writes a result where it was asked for.
  func write(_ result: CircuitResult, _ common: CommonOptions) throws {
    if let graph {
      // The front end finds a graph by the name of its file.
      let name = graph.file.map { URL(fileURLWithPath: $0.path).deletingPathExtension() }
      try graph.write(
        try CircuitReport.graph(for: result, slug: name?.lastPathComponent ?? "circuit"))
      if let file = graph.file, !common.isQuiet { Terminal.note("Wrote \(file.path)") }
    }
    try outputs.write(common) { format in
      switch format {
      case .json: try result.encoded()
      case .csv: Data(CircuitReport.csv(for: result).utf8)
      case .html: Data(try CircuitReport.html(for: result).utf8)
      }
    } onScreen: {
      if case .standardOutput = graph { return "" }
      return CircuitReport.text(for: result, style: Terminal.style)
    }
  }
}
