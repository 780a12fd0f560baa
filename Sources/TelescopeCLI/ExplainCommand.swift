internal import Foundation
internal import Telescope

/// `telescope explain`: the probability of each token, split over layers.
enum ExplainCommand {
  static func run(_ words: [String]) throws {
    var arguments = Arguments(words)
    if arguments.flag("--help", "-h") { return try Terminal.write(help) }
    if arguments.flag("--version") {
      return try Terminal.write("telescope \(telescopeVersion) (libtorch \(Engine.version))\n")
    }
    let common = try CommonOptions(&arguments)
    var request = try ExplainRequest(&arguments)
    let left = try arguments.finish()
    if request.isLoop {
      guard left.isEmpty else {
        throw CommandError(.usage, "--loop reads prompts from standard input; leave out '\(left[0])'.")
      }
      try loop(common, request)
    } else {
      request.prompt = try prompt(left, request)
      for output in request.outputs where output.path != "-" {
        try OutputFile.check(output.path, option: output.option)
      }
      let (loaded, hash) = try load(common)
      let session = try ExplainSession(loaded, hash: hash, common, request)
      try write(session.explain(request.prompt), request, common)
    }
  }

  /// Loads the model while its hash is computed beside it.
  private static func load(_ common: CommonOptions) throws -> (LoadedModel, HashTask) {
    let hash = HashTask(common.model)
    return (try common.load(), hash)
  }

  private static func prompt(_ words: [String], _ request: ExplainRequest) throws -> String {
    if request.ids != nil {
      guard words.isEmpty else {
        throw CommandError(.usage, "--ids gives the prompt; leave out '\(words[0])'.")
      }
      return ""
    }
    guard let word = words.first else {
      throw CommandError(
        .usage, "There is no prompt; give one in quotes, or - to read it from standard input.")
    }
    guard words.count == 1 else {
      throw CommandError(
        .usage, "There are \(words.count) prompts; put the text in quotes: \"\(words.joined(separator: " "))\".")
    }
    guard word == "-" else { return word }
    let data = FileHandle.standardInput.readDataToEndOfFile()
    guard var text = String(validating: data, as: UTF8.self) else {
      throw CommandError(.badData, "Standard input is not UTF-8 text; convert it first.")
    }
    if text.hasSuffix("\r\n") || text.hasSuffix("\n") { text.removeLast() }
    return text
  }

  private static func write(
    _ result: ExplainResult, _ request: ExplainRequest, _ common: CommonOptions
  ) throws {
    for output in request.outputs {
      let data =
        switch output.kind {
        case .json: try result.encoded(reproducible: request.isReproducible)
        case .csv: Data(CSVReport.text(for: result).utf8)
        case .html: Data(try HTMLReport.page(for: result).utf8)
        }
      if output.path == "-" {
        try Terminal.write(String(decoding: data, as: UTF8.self))
      } else {
        try OutputFile.write(data, to: output.path, option: output.option)
      }
    }
    if !request.outputs.contains(where: { $0.path == "-" }) {
      try Terminal.write(TerminalReport.text(for: result, style: Terminal.style))
    }
    for output in request.outputs where output.path != "-" && !common.isQuiet {
      Terminal.note("Wrote \(output.path)")
    }
  }

  /// Prompt after prompt; an error ends only the prompt it is about.
  private static func loop(_ common: CommonOptions, _ request: ExplainRequest) throws {
    guard request.outputs.isEmpty else {
      throw CommandError(
        .usage, "--loop prints to the terminal; leave out \(request.outputs[0].option).")
    }
    let (loaded, hash) = try load(common)
    let session = try ExplainSession(loaded, hash: hash, common, request)
    let isAsking = Terminal.inputIsTerminal && !common.isQuiet
    while true {
      if isAsking { try Terminal.write("prompt> ") }
      guard let line = readLine() else { break }
      if line.isEmpty { continue }
      do {
        try Terminal.write(
          TerminalReport.text(for: try session.explain(line), style: Terminal.style))
      } catch {
        Terminal.note("telescope: " + CommandError(error).message)
      }
    }
    if isAsking { try Terminal.write("\n") }
  }

  static let help = """
    usage: telescope explain [options] "prompt"
           telescope explain [options] -          the prompt from standard input
           telescope explain [options] --loop     prompt after prompt, model loaded once

    Splits the probability of each token of the continuation over the layers that produce
    it; the parts sum exactly to what the model says.

    What is explained (by default the model's own greedy continuation)
      --answer TEXT            this continuation instead
      --max-new-tokens N       the most tokens of the greedy continuation (default 16)
      --every-token            each next token of the prompt itself
      --position P …           what is predicted at these positions of the prompt, from 0
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
      --estimator E            observed (default), gradient, gauss
      --nodes N                steps of gradient (default 64) or nodes of gauss (default 16)
      --tol X                  gauss: double the nodes until each layer is this exact
      --onset F                share of all |Δ| at which the onset layer is reached
                               (default 0.5)
      --top N                  most probable tokens listed per layer (default 5)
      --compat iglens          the published script's numbers, for comparison

    Where to
      --json FILE              everything, schema telescope/explain/1 (- for standard output)
      --csv FILE               one line per token and layer
      --html FILE              one page that needs no network
      --reproducible           leave wall times out of the JSON

    Everywhere
    \(CommonOptions.help)

    """
}
