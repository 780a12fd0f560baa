internal import Foundation
internal import Telescope

/// `telescope steer`: what a model says when a value is changed on its way.
enum SteerCommand {
  private static let forms: [String: Arguments.Form] = [
    "--site": .value, "--unit": .list(accepts: PatchWords.isCount), "--scale": .value,
    "--set": .value, "--add": .value, "--add-text": .value, "--minus-text": .value,
    "--times": .value, "--positions": .list(accepts: PatchWords.isCount),
    "--max-new-tokens": .value, "--top": .value, "--ids": .list(accepts: PatchWords.isCount),
    "--chat": .alone, "--bos": .alone, "--no-bos": .alone, "--json": .value,
    "--reproducible": .alone,
  ].merging(MetricWords.forms) { $1 }

  static func run(_ words: [String]) throws {
    let arguments = try Arguments(
      words, CommonOptions.forms.merging(forms) { common, _ in common }, of: "steer")
    if arguments.flag("--help", "-h") { return try Terminal.write(help) }
    if arguments.flag("--version") { return try Terminal.write(Main.version) }
    let common = try CommonOptions(arguments)
    let change = try SteerWords(arguments)
    let metric = try MetricWords(arguments)
    if metric.kind != nil && metric.answer == nil {
      throw CommandError(.usage, "--target is of an --answer; give one, or leave it out.")
    }
    let place = try PromptOptions(arguments)
    let outputs = try [ExplainRequest.Output].asked(of: arguments)
    let count = try arguments.integer("--max-new-tokens", in: 0...100_000)
    let top = try arguments.integer("--top", in: 1...1000) ?? 10
    let text = try PromptText.read(arguments.rest, "text", hasIDs: place.hasIDs)
    for output in outputs { try output.file?.check() }

    let url = try ModelLocation.find(common.model, quiet: common.isQuiet)
    let hash = HashTask(url)
    let loaded = try common.load(url)
    if !loaded.model.isCausal, count != nil {
      throw CommandError(
        .usage,
        "--max-new-tokens: \(loaded.name) fills in masks and continues no text; leave it out.")
    }
    var notes: [String] = []
    let prompt = try place.prompt(text, loaded, &notes)
    let (steering, source) = try change.steering(in: loaded, place.reader(loaded), &notes)
    let plan = SteerPlan(
      steering, source: source, metric: try metric.choice(in: loaded), count: count ?? 16, top: top)
    Progress.current.begin("Steering", quiet: common.isQuiet)
    defer { Progress.current.end() }
    var result = try plan.result(of: prompt, in: loaded, progress: Progress.current.update)
    Progress.current.end()
    result.warnings = notes + result.warnings
    result.model.sha256 = try hash.value()
    if arguments.flag("--reproducible") { result.timingsMs = nil }
    let found = result
    try outputs.write(common) { format in
      guard format == .json else { preconditionFailure("steer has no \(format.option)") }
      return try found.encoded()
    } onScreen: {
      SteerReport.text(for: found, style: Terminal.style)
    }
  }

  static let help = """
    usage: telescope steer [options] --site SITE --scale X "text"
           telescope steer [options] --site SITE --add-text "A" --minus-text "B" --times C "text"

    Runs a text as the model is, and again with the value at a site changed, in the text and in each
    new token; shows both continuations, both predictions, and how far they lie apart.

    What is changed
      --site SITE              one site, such as residual.after.12 (telescope inspect lists them)
      --unit N …               these heads, where the site has them, or coordinates (default all)
      --positions P …          at these positions alone, those of new tokens counted on from the
                               text's (default all)

    How (one of these)
      --scale X                multiplied
      --set X                  replaced
      --add FILE:NAME          a vector added: a tensor of a safetensors file
      --add-text A             what stands there at the last token of this text added
      --minus-text B           less what stands there at the last token of this one
      --times C                what multiplies the vector (default 1)

    What is measured
      --answer TOKEN           this token's logit, before and after
      --versus TOKEN           less that of this one
      --target T               logit (default), prob, logprob
      --position P             where it is predicted (default: the last token, in an encoder the mask)
      --max-new-tokens N       of the continuations (default 16)

    What runs
      --ids ID …               the text as token ids
      --chat                   wrap the text in the model's chat template
      --bos, --no-bos          with the tokens that stand around a text, or not
                               (default: as the model's files say)

    Where to
      --json FILE              everything, schema telescope/steer/1 (- for standard output)
      --top N                  tokens listed of each prediction (default 10)
      --reproducible           leave out wall times, so that the same run gives the same bytes

    Everywhere
    \(CommonOptions.help)

    """
}
