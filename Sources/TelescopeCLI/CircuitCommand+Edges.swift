internal import Foundation
internal import Telescope

extension CircuitCommand {
  /// `telescope circuit edges`: a trace of neurons, and what they give to each other.
  static func edges(_ words: [String]) throws {
    let own: [String: Arguments.Form] = [
      "--edge-threshold": .value, "--edge-prompts": .value, "--logits": .value, "--prune": .alone,
      "--between": .value,
    ]
    let arguments = try Arguments(
      words,
      CommonOptions.forms.merging(CircuitWords.traceForms) { common, _ in common }
        .merging(own) { $1 },
      of: "circuit edges")
    if arguments.flag("--help", "-h") { return try Terminal.write(edgesHelp) }
    if arguments.flag("--version") { return try Terminal.write(Main.version) }
    let common = try CommonOptions(arguments)
    let words = try CircuitWords(arguments)
    guard words.scorings.count == 1 else {
      throw CommandError(
        .usage, "telescope circuit edges takes one --method; evaluate compares several.")
    }
    var options = EdgeOptions()
    options.leastWeight =
      try arguments.number("--edge-threshold", "a number of 0 or more") { $0 >= 0 && $0.isFinite }
      ?? options.leastWeight
    options.prompts =
      try arguments.integer("--edge-prompts", in: 1...1_000_000) ?? options.prompts
    options.logits = try arguments.integer("--logits", in: 0...100) ?? options.logits
    options.prunes = arguments.flag("--prune")
    let isOfBranches =
      try arguments.choice("--between", ["neurons", "branches"], \.self) == "branches"
    if isOfBranches {
      for option in ["--logits", "--top", "--mass", "--threshold", "--select", "--unit"]
      where arguments.has(option) {
        throw CommandError(
          .usage,
          "\(option) chooses among neurons, and --between branches shows them all; leave it out.")
      }
    }
    let source = try words.source(arguments.rest)
    if case .text = source, arguments.has("--edge-prompts") {
      throw CommandError(.usage, "--edge-prompts goes with --task; leave it out.")
    }
    try words.checkOutputs()
    let session = try CircuitSession(common, words)
    let result = try session.result(of: source, "Finding edges") { prompts, progress in
      session.warnOfRuns(prompts)
      let plan = session.plan(for: prompts)
      return try isOfBranches
        ? plan.branchEdges(
          words.scorings[0], options, of: prompts, in: session.loaded, progress: progress)
        : plan.edges(
          words.scorings[0], options, of: prompts, in: session.loaded, progress: progress)
    }
    try words.write(result, common)
  }

  static let edgesHelp = """
    usage: telescope circuit edges [options] --task NAME|FILE
           telescope circuit edges [options] "text"
           telescope circuit edges [options] -            the text from standard input

    A trace of neurons, and what each gives to each other directly: by the residual stream and
    attention, past all other neurons, with patterns, norms and coefficients held at the values
    of the run. Tokens' embeddings give too, and the metric receives; what all neurons, tokens
    and biases give to a neuron sums to its value.

    \(promptHelp)

    How neurons are scored
      --method METHOD          relp (default), relp-paired, atp, ig-activations, conductance,
                               eap-ig, exact (one run a unit), random
    \(methodHelp)

    Which are kept
      --select S               top-absolute (default), top-signed, threshold
      --top K                  so many (default 100)
      --mass SHARE             as few as hold this share of the sum of magnitudes
      --threshold X            those whose magnitude is above this
      --prune                  of these, those that lie on a way from a token to the metric

    Which edges
      --between B              neurons (default), or branches: attention and feed-forward networks,
                               by --method atp (EAP) or eap-ig
      --edge-threshold X       those that explain this share of their target (default 0.01)
      --edge-prompts N         means over so many of the task's prompts (default 10)
      --logits N               tokens whose logits each neuron is measured by (default 5)

    Where to
      --json FILE              everything, schema telescope/circuit/1 (- for standard output)
      --graph FILE             the circuit as circuit-tracer's graph JSON
    \(outputHelp)

    """
}
