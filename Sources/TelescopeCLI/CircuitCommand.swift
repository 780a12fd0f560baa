internal import Foundation
internal import Telescope

/// `telescope circuit`: which units carry a prediction.
enum CircuitCommand {
  static func run(_ words: [String]) throws {
    let rest = Array(words.dropFirst())
    switch words.first {
    case "trace": try trace(rest)
    case "evaluate": try evaluate(rest)
    case "edges": try edges(rest)
    case "--help", "-h": try Terminal.write(help)
    case "--version": try Terminal.write(Main.version)
    case nil:
      throw CommandError(
        .usage,
        "telescope circuit needs to know what to do: trace, evaluate or edges; see telescope circuit "
          + "--help.")
    case let word?:
      throw CommandError(
        .usage,
        "telescope circuit does not know '\(word)'; it knows trace, evaluate and edges (see telescope "
          + "circuit --help).")
    }
  }

  private static func trace(_ words: [String]) throws {
    let arguments = try Arguments(
      words, CommonOptions.forms.merging(CircuitWords.traceForms) { common, _ in common },
      of: "circuit trace")
    if arguments.flag("--help", "-h") { return try Terminal.write(traceHelp) }
    if arguments.flag("--version") { return try Terminal.write(Main.version) }
    let common = try CommonOptions(arguments)
    let words = try CircuitWords(arguments)
    guard words.scorings.count == 1 else {
      throw CommandError(
        .usage, "telescope circuit trace takes one --method; evaluate compares several.")
    }
    let source = try words.source(arguments.rest)
    try words.checkOutputs()
    let session = try CircuitSession(common, words)
    let result = try session.result(of: source, "Scoring") { prompts, progress in
      session.warnOfRuns(prompts)
      return try session.plan(for: prompts).trace(
        words.scorings[0], of: prompts, in: session.loaded, progress: progress)
    }
    try words.write(result, common)
  }

  private static func evaluate(_ words: [String]) throws {
    let arguments = try Arguments(
      words, CommonOptions.forms.merging(CircuitWords.evaluateForms) { common, _ in common },
      of: "circuit evaluate")
    if arguments.flag("--help", "-h") { return try Terminal.write(evaluateHelp) }
    if arguments.flag("--version") { return try Terminal.write(Main.version) }
    let common = try CommonOptions(arguments)
    let words = try CircuitWords(arguments, evaluates: true)
    let source = try words.source(arguments.rest)
    try words.checkOutputs()
    let session = try CircuitSession(common, words)
    let result = try session.result(of: source, "Evaluating") { prompts, progress in
      session.warnOfRuns(prompts)
      return try session.plan(for: prompts).evaluate(
        words.scorings, of: prompts, in: session.loaded, progress: progress)
    }
    try words.write(result, common)
  }

  static let help = """
    usage: telescope circuit trace [options] --task NAME|FILE
           telescope circuit trace [options] "text" [--contrast "text"]
           telescope circuit evaluate [options] --task NAME|FILE
           telescope circuit edges [options] --task NAME|FILE

      trace       score the units of a model for a prediction, and keep those that carry it
      evaluate    how much of the prediction is left when only such units run: faithfulness and
                  completeness of growing circuits, one curve for each method
      edges       what neurons of a trace give to each other, tokens to them, and they to the metric

    telescope circuit trace --help, and so on, list the options.

    """

  static let promptHelp = """
    Of what prompts
      --task NAME|FILE         sva-simple, sva-within-rc, sva-nounpp (verbs that agree), ioi (who
                               received it), capitals, sums, or a file of JSON lines with
                               clean_prefix, patch_prefix, clean_answer, patch_answer
      --train N                prompts to score on, at most (default 100)
      --seed N                 what divides words and orders prompts (default 0)
      --contrast TEXT          a text of as many tokens with another answer, in place of a task
      --answer TOKEN           the answer (default: what the model says)
      --versus TOKEN           the answer it is measured against: the metric is the difference of
                               their logits (default: what the model says after --contrast)
      --chat                   wrap the text in the model's chat template
      --bos, --no-bos          begin with the beginning-of-text token, or not
                               (default: as the model's files say)
    """

  static let methodHelp = """
      --unit UNIT              neuron (default), head, attention, mlp, residual
      --sum-positions          a unit stands for all its positions; prompts may differ in length
      --rules RULES            of relp: relp (default), relp-jafari, cp-lrp, gradient
      --at RUN                 of relp-paired and atp, where gradients are taken: clean (default),
                               patch
      --steps N                of ig-activations, conductance and eap-ig (default 10)
    """

  static let outputHelp = """
      --csv FILE               one line per number
      --html FILE              one page that needs no network
      --reproducible           leave out wall times, so that the same run gives the same bytes

    Everywhere
    \(CommonOptions.help)
    """

  static let traceHelp = """
    usage: telescope circuit trace [options] --task NAME|FILE
           telescope circuit trace [options] "text"
           telescope circuit trace [options] -            the text from standard input

    Scores every unit of a model for one prediction, or for the mean over a task's prompts, and
    lists those that count most. Positive scores support the metric: the answer's logit less
    that of the other answer.

    \(promptHelp)

    How units are scored
      --method METHOD          relp (default), relp-paired, atp, ig-activations, conductance,
                               eap-ig, exact (one run a unit), random
    \(methodHelp)

    Which are kept
      --select S               top-absolute (default), top-signed, threshold
      --top K                  so many (default 100)
      --mass SHARE             as few as hold this share of the sum of magnitudes
      --threshold X            those whose magnitude is above this

    Where to
      --json FILE              everything, schema telescope/circuit/1 (- for standard output)
      --graph FILE             the circuit as circuit-tracer's graph JSON
    \(outputHelp)

    """

  static let evaluateHelp = """
    usage: telescope circuit evaluate [options] --task NAME|FILE
           telescope circuit evaluate [options] "text"

    Scores units on a task's prompts for training, and on those for testing, which share no
    words with them, runs circuits of growing size: every other unit is replaced. Faithfulness
    is the share of the metric that the circuit alone keeps, completeness the share that is
    left without it: 1 and 0 are ideal.

    \(promptHelp)
      --test N                 prompts to run circuits on, at most (default 40)

    How units are scored
      --method METHODS         several for one plot: relp (default), relp-paired, atp,
                               ig-activations, conductance, eap-ig, exact (one run a unit),
                               random
    \(methodHelp)

    Which circuits run
      --ablation A             what stands for other units: mean over the changed prompts
                               (default; zero where there are none), zero, resample (the changed
                               prompt's own)
      --select S               top-absolute (default), top-signed, threshold
      --thresholds N           so many circuits, each as much larger as the last (default 20)

    Where to
      --json FILE              everything, schema telescope/circuit/1 (- for standard output)
    \(outputHelp)

    """
}
