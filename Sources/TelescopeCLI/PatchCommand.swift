internal import Foundation
internal import Telescope

/// `telescope patch`: what a prediction is when a value comes from another run.
enum PatchCommand {
  static func run(_ words: [String]) throws {
    let arguments = try Arguments(
      words, CommonOptions.forms.merging(PatchWords.forms) { common, _ in common }, of: "patch")
    if arguments.flag("--help", "-h") { return try Terminal.write(help) }
    if arguments.flag("--version") { return try Terminal.write(Main.version) }
    let common = try CommonOptions(arguments)
    let words = try PatchWords(arguments)
    let text = try PromptText.read(arguments.rest, "text", hasIDs: words.place.hasIDs)
    for output in words.outputs { try output.file?.check() }

    let url = try ModelLocation.find(common.model, quiet: common.isQuiet)
    let hash = HashTask(url)
    let loaded = try common.load(url)
    var result = try result(of: text, words, loaded, common)
    result.model.sha256 = try hash.value()
    if words.isReproducible { result.timingsMs = nil }
    try words.outputs.write(common) { format in
      switch format {
      case .json: try result.encoded()
      case .csv: Data(PatchReport.csv(for: result).utf8)
      case .html: Data(try PatchReport.page(for: result).utf8)
      }
    } onScreen: {
      PatchReport.text(for: result, style: Terminal.style, top: words.top)
    }
  }

  private static func result(
    of text: String?, _ words: PatchWords, _ loaded: LoadedModel, _ common: CommonOptions
  ) throws -> PatchResult {
    var notes: [String] = []
    let reader = try words.place.reader(loaded)
    let prompt = try words.place.prompt(text, loaded, &notes)
    var patching = words.patching
    patching.tokensAtOnce = loaded.model.tokensAtOnce(
      patching.tokensAtOnce, within: common.memory.map { $0 - loaded.weightBytes })
    let plan = PatchPlan(patching: patching, metric: try words.metric.choice(in: loaded))
    Progress.current.begin("Patching", quiet: common.isQuiet)
    defer { Progress.current.end() }
    var result: PatchResult
    if let noise = words.noise {
      let subject =
        try words.subjectPositions ?? positions(of: words.subject ?? "", in: prompt, reader)
      result = try plan.result(
        of: prompt, subject: subject, tracing: noise, in: loaded, progress: Progress.current.update)
    } else {
      let contrast = try reader.prompt(words.contrast ?? "", "The contrast", &notes)
      result = try plan.result(
        of: prompt, against: contrast, in: loaded, progress: Progress.current.update)
    }
    result.warnings = notes + result.warnings
    return result
  }

  /// The tokens that hold some words of a text.
  private static func positions(
    of subject: String, in prompt: Explainer.Prompt, _ reader: PromptReader
  ) throws -> [Int] {
    let tokens = CaptureCommand.tokens(of: prompt, reader)
    let text = Array(prompt.text.utf8)
    let wanted = Array(subject.utf8)
    let starts =
      wanted.isEmpty || wanted.count > text.count
      ? []
      : (0...text.count - wanted.count).filter {
        text[$0..<$0 + wanted.count].elementsEqual(wanted)
      }
    guard let start = starts.first, starts.count == 1 else {
      throw CommandError(
        .usage,
        "--subject '\(subject)': the text has it \(starts.isEmpty ? "nowhere" : "\(starts.count) times"); name the "
          + "tokens with --subject-at P ….")
    }
    let range = start..<start + wanted.count
    return tokens.ranges.indices.filter { tokens.ranges[$0].overlaps(range) }
  }

  static let help = """
    usage: telescope patch [options] "clean" --contrast "corrupted"
           telescope patch [options] "text" --noise S --subject "some words of it"

    Activation patching: one run goes on with a value of another, at one layer and token at a time.
    What the metric then is, and which share of the way from the corrupted value to the clean one
    that makes, is a grid of layers and tokens (of heads: layers and heads).

    What corrupts
      --contrast TEXT          another text of as many tokens
      --noise S                Gaussian noise on some tokens' embeddings instead, S times their
                               standard deviation (causal tracing; its paper takes 3)
      --subject TEXT           words of the text whose tokens get it
      --subject-at P …         or their positions
      --samples N              draws that numbers are means over (default 10)
      --seed N                 what draws them (default 0)

    What is patched
      --unit UNITS             residual (default: what enters a block), attention, mlp (what they
                               add), head (mixes of values), joined by commas, or all
      --layers L …             from 0 (default all)
      --positions P …          each by itself (default all); for heads, all of them at once
      --window N               so many blocks at once around each layer (default 1); not of residual
      --direction D            denoise (default): clean values into the corrupted run;
                               noise: corrupted values into the clean run

    What is measured
      --answer TOKEN           its logit (default: the model's own answer, against its answer to the
                               contrast)
      --versus TOKEN           less that of this one
      --target T               logit, prob, logprob (default logit; with --noise prob)
      --position P             where it is predicted (default: the last token, in an encoder the mask)

    What runs
      --ids ID …               the text as token ids, with --noise
      --chat                   wrap texts in the model's chat template
      --bos, --no-bos          with the tokens that stand around a text, or not
                               (default: as the model's files say)

    Where to
      --json FILE              everything, schema telescope/patch/1 (- for standard output)
      --csv FILE               one line per cell
      --html FILE              one page that needs no network
      --top N                  cells listed below each grid on screen (default 8)
      --reproducible           leave out wall times, so that the same run gives the same bytes

    Everywhere
    \(CommonOptions.help)

    """
}
