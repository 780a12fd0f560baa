internal import Foundation
internal import Telescope

/// `telescope compare`: one prediction by several methods, layer by layer.
enum CompareCommand {
  private static let command = "compare"

  private static let names: Set<String> = [
    "--ids", "--answer", "--max-new-tokens", "--every-token", "--position", "--chat", "--bos",
    "--no-bos", "--baseline", "--target", "--tol", "--json", "--csv", "--reproducible",
  ]

  static func run(_ words: [String]) throws {
    let forms = ExplainRequest.forms.filter { names.contains($0.key) }
    let arguments = try Arguments(
      words, CommonOptions.forms.merging(forms) { common, _ in common }, of: command)
    if arguments.flag("--help", "-h") { return try Terminal.write(help) }
    if arguments.flag("--version") { return try Terminal.write(Main.version) }
    let common = try CommonOptions(arguments)
    let request = try ExplainRequest(arguments, integrates: true)
    let prompt = try ExplainCommand.prompt(arguments.rest, request)
    for output in request.outputs { try output.file?.check() }
    let result = try ExplainCommand.session(common, request).compare(prompt)
    try request.outputs.write(common) { format in
      switch format {
      case .json: try result.encoded()
      case .csv: Data(ComparisonReport.csv(for: result).utf8)
      case .html: preconditionFailure("compare has no --html")
      }
    } onScreen: {
      ComparisonReport.text(for: result, style: Terminal.style)
    }
  }

  static let help = """
    usage: telescope compare [options] "prompt"

    Explains each token by IG-Lens, by the straight path, by direct logit attribution and by
    the difference of the logit lens from layer to layer, side by side, from one forward pass,
    with the rank correlation of every two.

    What is explained (by default the model's own greedy continuation)
      --answer TEXT            this continuation instead
      --max-new-tokens N       the most tokens of the greedy continuation (default 16)
      --every-token            each next token of the prompt itself
      --position P …           what is predicted at these positions of the prompt, from 0
      --ids ID …               the prompt as token ids
      --chat                   wrap the prompt in the model's chat template
      --bos, --no-bos          begin with the beginning-of-text token, or not
                               (default: as the model's files say)

    How
      --baseline B             mean (default), mean-all, mean-nosink, zero, embedding,
                               final-of:TEXT
      --target T               prob (default), logprob, logit, prob-diff:TOKEN,
                               logit-diff:TOKEN, entropy, kl
      --tol X                  the straight path's integrals: how exact (default 1e-4)

    Where to
      --json FILE              everything, schema telescope/compare/1 (- for standard output)
      --csv FILE               one line per token, method and layer
      --reproducible           leave out wall times, so that the same run gives the same
                               bytes

    Everywhere
    \(CommonOptions.help)

    """
}
