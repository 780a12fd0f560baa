internal import Foundation
internal import Telescope

/// `telescope dla`: the logit of each token, split over everything that wrote it.
enum DirectLogitCommand {
  private static let command = "dla"

  private static let names: Set<String> = [
    "--ids", "--answer", "--max-new-tokens", "--every-token", "--position", "--chat", "--bos",
    "--no-bos", "--depth", "--neurons", "--target", "--top", "--json", "--csv", "--reproducible",
  ]

  static func run(_ words: [String]) throws {
    var forms = ExplainRequest.forms.filter { names.contains($0.key) }
    forms["--centred"] = .alone
    let arguments = try Arguments(
      words, CommonOptions.forms.merging(forms) { common, _ in common }, of: command)
    if arguments.flag("--help", "-h") { return try Terminal.write(help) }
    if arguments.flag("--version") { return try Terminal.write(Main.version) }
    let common = try CommonOptions(arguments)
    var request = try ExplainRequest(arguments)
    switch request.target {
    case .plain(.logit), .difference(.logitDifference, _): break
    case .plain where !arguments.has("--target"): request.target = .plain(.logit)
    default:
      throw CommandError(
        .usage, "telescope dla splits logits: --target is logit or logit-diff:TOKEN.")
    }
    let centred = arguments.flag("--centred")
    if centred, case .difference = request.target {
      throw CommandError(
        .usage, "A difference of two logits has no mean to take off; leave out --centred.")
    }
    if request.depth == .token {
      throw CommandError(
        .usage, "telescope dla goes down to heads and neurons; use --depth head.")
    }
    let prompt = try ExplainCommand.prompt(arguments.rest, request)
    for output in request.outputs { try output.file?.check() }
    let result = try ExplainCommand.session(common, request).directLogits(prompt, centred: centred)
    try request.outputs.write(common) { format in
      switch format {
      case .json: try result.encoded()
      case .csv: Data(DirectLogitReport.csv(for: result).utf8)
      case .html: preconditionFailure("dla has no --html")
      }
    } onScreen: {
      DirectLogitReport.text(for: result, style: Terminal.style, top: request.top ?? 10)
    }
  }

  static let help = """
    usage: telescope dla [options] "prompt"

    Direct logit attribution: splits the logit of each token over the embedding, every
    attention and every MLP that wrote to the residual stream, with the final norm's scale
    frozen at the value that the run had. The parts sum to the logit.

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
      --target T               logit (default) or logit-diff:TOKEN
      --centred                measure logits from their mean over the vocabulary
      --depth D                block (default) or head
      --neurons N|all          the N neurons of each layer that count most
      --top N                  the most parts listed on screen (default 10)

    Where to
      --json FILE              everything, schema telescope/dla/1 (- for standard output)
      --csv FILE               one line per part
      --reproducible           leave out wall times, so that the same run gives the same
                               bytes

    Everywhere
    \(CommonOptions.help)

    """
}
