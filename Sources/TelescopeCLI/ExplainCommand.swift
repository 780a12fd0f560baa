internal import Foundation
internal import Telescope

/// `telescope explain`: the probability of each token, split over layers.
enum ExplainCommand {
  static func run(_ words: [String]) throws {
    let arguments = try Arguments(
      words, CommonOptions.forms.merging(ExplainRequest.forms) { common, _ in common })
    if arguments.flag("--help", "-h") { return try Terminal.write(help) }
    if arguments.flag("--version") { return try Terminal.write(Main.version) }
    let common = try CommonOptions(arguments)
    let request = try ExplainRequest(arguments)
    if let input = request.input {
      try ExplainInput(input, common, request).run(arguments.rest)
    } else if request.isLoop {
      if let word = arguments.rest.first {
        throw CommandError(
          .usage, "--loop reads prompts from standard input; leave out '\(word)'.")
      }
      try loop(session(common, request), request, isAsking: !common.isQuiet)
    } else {
      let prompt = try prompt(arguments.rest, request)
      for output in request.outputs { try output.file?.check() }
      let result = try session(common, request).explain(prompt)
      try request.outputs.write(common) { format in
        switch format {
        case .json: try result.encoded()
        case .csv: Data(CSVReport.text(for: result).utf8)
        case .html: Data(try HTMLReport.page(for: result).utf8)
        }
      } onScreen: {
        TerminalReport.text(for: result, style: Terminal.style, top: request.top ?? 10)
      }
    }
  }

  /// Loads the model while its hash is computed beside it.
  static func session(
    _ common: CommonOptions, _ request: ExplainRequest
  ) throws -> ExplainSession {
    let model = try ModelLocation.find(common.model, quiet: common.isQuiet)
    let hash = HashTask(model)
    return try ExplainSession(common.load(model), hash: hash, common, request)
  }

  static func prompt(_ words: [String], _ request: ExplainRequest) throws -> String {
    try PromptText.read(words, "prompt", hasIDs: request.ids != nil) ?? ""
  }

  /// Prompt after prompt; an error ends only the prompt it is about.
  private static func loop(
    _ session: ExplainSession, _ request: ExplainRequest, isAsking: Bool
  ) throws {
    let asks = isAsking && Terminal.isTerminal(STDIN_FILENO)
    let lines = InputLines()
    while true {
      if asks { try Terminal.write("prompt> ") }
      guard let line = lines.next() else { break }
      if line.isEmpty { continue }
      do {
        let result = try session.explain(PromptText.decoded(line, "This line"))
        try Terminal.write(
          TerminalReport.text(for: result, style: Terminal.style, top: request.top ?? 10))
      } catch {
        Terminal.note("telescope: " + CommandError(error).message)
      }
    }
    if asks { try Terminal.write("\n") }
  }

  static let help = """
    usage: telescope explain [options] "prompt"
           telescope explain [options] -          the prompt from standard input
           telescope explain [options] --loop     prompt after prompt, model loaded once
           telescope explain [options] --input prompts.jsonl --json results.jsonl

    Splits the probability of each token of the continuation over the layers that produce
    it; the parts sum exactly to what the model says.

    What is explained (by default the model's own greedy continuation; in an encoder, which
    has none, what fills each mask token of the prompt, such as [MASK])
      --answer TEXT            this continuation instead; in an encoder, a token for each mask
      --max-new-tokens N       the most tokens of the greedy continuation (default 16)
      --every-token            each next token of the prompt itself; in an encoder, each token
                               where it stands
      --position P …           what is predicted at these positions of the prompt, from 0: the
                               next token; in an encoder, the one that stands there
      --contrast TEXT          the same continuation after another prompt, layer by layer
      --ids ID …               the prompt as token ids
      --chat                   wrap the prompt in the model's chat template
      --bos, --no-bos          begin with the beginning-of-text token, or not
                               (default: as the model's files say)

    How
      --layers L …             layers to credit: numbers from 0, and 'embedding' (default all)
      --k N                    N layers, evenly spaced, the last included
      --baseline B             mean (default), mean-all, mean-nosink, zero, embedding,
                               final-of:TEXT
      --target T               prob (default), logprob, logit, prob-diff:TOKEN,
                               logit-diff:TOKEN, entropy, kl
      --completion FILE        read each state with the later layers' mean updates added
                               (telescope lens means makes the file)
      --lens FILE              read each state through a tuned lens
      --unverified-lens        use a file that does not say that it is for this model file
      --estimator E            observed (default), gradient, gauss
      --nodes N                steps of gradient (default 64) or nodes of gauss (default 16)
      --tol X                  integrals: double the nodes until every sum is this exact
                               (default 1e-4; estimator gauss: none)
      --onset F                share of all |Δ| at which the onset layer is reached
                               (default 0.5)
      --top N                  most probable tokens listed per layer (default 5), and the most
                               parts listed on screen (default 10)
      --compat iglens          the published script's numbers, for comparison: its hidden
                               states count as layers, and unless given, baseline mean-all
                               and estimator gradient

    What each layer is made of
      --depth D                layer (default), block (attention and MLP), head, token (what each
                               head carried from each token of the text)
      --neurons N|all          the N neurons of each layer that count most

    How much the choices matter
      --path P                 chain (default), straight, shapley
      --paths all              every path beside it: each layer's range, and rank correlations
      --baselines all          every baseline beside it
      --orders N               shapley: how many orders are sampled, where the layers are more than
                               10 (default 32)

    What happens without a part
      --check                  replace each layer (with --depth and --neurons each part) in the
                               model, and compare with what its score predicts
      --replace R …            by its mean, by zero, by a resample (default: each)
      --at position|all        at the explained position (default), or at every position
      --reference FILE         take means and resamples from these texts, one a line
      --seed N                 of what is sampled (default 0)

    Where to
      --json FILE              everything, schema telescope/explain/1 (- for standard output)
      --csv FILE               one line per token and layer
      --html FILE              one page that needs no network
      --reproducible           leave out wall times, so that the same run gives the same
                               bytes

    \(InputRequest.help)

    Everywhere
    \(CommonOptions.help)

    """
}
