internal import Foundation
internal import Telescope

/// `telescope flow`: which token feeds which, inside one layer.
enum FlowCommand {
  static func run(_ words: [String]) throws {
    let arguments = try Arguments(
      words, CommonOptions.forms.merging(FlowWords.forms) { common, _ in common }, of: "flow")
    if arguments.flag("--help", "-h") { return try Terminal.write(help) }
    if arguments.flag("--version") { return try Terminal.write(Main.version) }
    let common = try CommonOptions(arguments)
    let words = try FlowWords(arguments)
    if let input = words.input {
      return try FlowInput(input, common, words).run(arguments.rest)
    }
    let text = try PromptText.read(arguments.rest, "text", hasIDs: words.place.hasIDs)
    for output in words.outputs { try output.file?.check() }

    let session = try FlowSession(common, words)
    let result = try session.result(of: text, common)
    try write(result, words, common)
  }

  private static func write(
    _ result: FlowResult, _ words: FlowWords, _ common: CommonOptions
  ) throws {
    let json = words.outputs.first { $0.format == .json }
    let arrays = words.layout == .telescope ? json?.file.map { ArraysFile(beside: $0) } : nil
    let (stored, moved) =
      arrays.map { result.movingArrays(over: ArraysFile.inline, to: $0.name) } ?? (result, [])
    if let arrays, !moved.isEmpty {
      try arrays.file.check()
      try arrays.write(moved, of: result)
    }
    try words.outputs.write(common) { format in
      switch format {
      case .json:
        try words.layout == .lig ? FlowReport.lig(for: result) : stored.encoded()
      case .csv: Data(FlowReport.csv(for: result).utf8)
      case .html: Data(try FlowReport.html(for: result).utf8)
      }
    } onScreen: {
      FlowReport.text(for: result, style: Terminal.style, top: words.top)
    }
    if let arrays, !moved.isEmpty, !common.isQuiet { Terminal.note("Wrote \(arrays.file.path)") }
  }

  static let help = """
    usage: telescope flow [options] "text"
           telescope flow [options] -                     the text from standard input
           telescope flow [options] --input FILE --json FILE   many texts

    Attributes what a layer does to each token to the tokens that entered it (LIG): integrated
    gradients of how far the output moves, from a baseline to the text. Columns are targets,
    which receive; rows are sources, which give. Beside every column stand its total, which is
    known apart from the integral, and by how much the integral misses it.

    Between what
      --granularity MAPS       layer (default), attention, feed-forward, joined by commas, or all:
                               tokens to tokens; tokens to each head; each head to its token
      --boundary B             strict (default): heads are read before they are mixed;
                               published: feed-forward from the stream between, in slices
      --layers L …             from 0 (default all)
      --targets P …            positions that receive (default all)
      --heads H …              heads that are shown (default all)

    From where
      --baseline B             for all maps that have it: itb (default): every token starts as
                               the target's own; zero: at 0; itb-zero-ratio, itb-map-ratio: itb
                               with a share for the target itself (of zero, of its attention)
      --baseline-attention B   itb, zero, itb-zero-ratio, itb-map-ratio
      --baseline-feed-forward B  att-itb (default): where itb starts; zero
      --baseline-layer B       itb, zero, itb-zero-ratio
      --scalarisation S        length (default) of the output's change, or its projection on the
                               direction of the whole change

    How exactly
      --tol X                  nodes are doubled until each column misses its total by less than
                               this share (default 1e-3)
      --steps N                so many nodes instead
      --quadrature Q           gauss-legendre (default), or captum-trapezoid, the published rule
                               (with --steps, default 32)

    Put together
      --compose C              product, conserving, exact, joined by commas, or all: tokens to
                               tokens by way of heads
      --compare A B            how far two routes agree, beside predictors that know nothing:
                               layer, exact, product, conserving, each with baselines if other
                               than those above: layer:zero, product:itb+att-itb

    What runs
      --ids ID …               the text as token ids
      --chat                   wrap the text in the model's chat template
      --bos, --no-bos          with the tokens that stand around a text, or not
                               (default: as the model's files say)
      --input FILE             many texts: JSON lines {"prompt": "…"}, or of a .txt each line
      --resume                 go on behind the last whole line of --json
      --aggregate FILE         with --compare: mean agreement over the texts as JSON, as on screen
                               (- for standard output)
      --resamples N            of the 95 % intervals, over texts (default 1000)
      --seed N                 of what is drawn (default 0)

    Where to
      --json FILE              everything, schema telescope/flow/1 (- for standard output; many
                               numbers go to a .safetensors file beside it)
      --format lig             the same in the layout of the published package
      --csv FILE               one line per number
      --html FILE              one page that needs no network
      --top N                  sources listed per target on screen (default 6)
      --reproducible           leave out wall times, so that the same run gives the same bytes

    Everywhere
    \(CommonOptions.help)

    """
}

/// A model with what is asked of each text.
struct FlowSession {
  let loaded: LoadedModel
  private let hash: HashTask
  private var words: FlowWords

  init(_ common: CommonOptions, _ words: FlowWords) throws {
    let url = try ModelLocation.find(common.model, quiet: common.isQuiet)
    hash = HashTask(url)
    loaded = try common.load(url)
    self.words = words
    let loaded = loaded
    self.words.plan.options.memory = common.memory.map { $0 - loaded.weightBytes }
  }

  /// One text's flows, shown as a stage of its own.
  func result(of text: String?, _ common: CommonOptions) throws -> FlowResult {
    Progress.current.begin("Integrating", quiet: common.isQuiet)
    defer { Progress.current.end() }
    return try result(of: text, progress: Progress.current.update)
  }

  /// One text's flows.
  func result(of text: String?, progress: (Double) -> Void) throws -> FlowResult {
    var notes: [String] = []
    let prompt = try words.place.prompt(text, loaded, &notes)
    var result = try words.plan.result(of: prompt, in: loaded, progress: progress)
    result.model.sha256 = try hash.value()
    result.warnings = notes + result.warnings
    if words.isReproducible { result.timingsMs = nil }
    return result
  }
}

/// The file of arrays beside a JSON file: `run.json` has `run.safetensors`, and line 7 of `runs.jsonl` has
/// `runs.7.safetensors`.
struct ArraysFile {
  /// The bytes of numbers that stay in the JSON.
  static let inline = 8_000_000

  let file: OutputFile

  init(beside json: OutputFile, line: Int? = nil) {
    let path = json.path as NSString
    let base =
      ["json", "jsonl"].contains(path.pathExtension.lowercased())
      ? path.deletingPathExtension : json.path
    file = OutputFile(
      option: json.option, path: base + (line.map { ".\($0)" } ?? "") + ".safetensors")
  }

  /// What the JSON calls it.
  var name: String { (file.path as NSString).lastPathComponent }

  /// Writes arrays, in the type of the computation.
  func write(_ arrays: [FlowArray], of result: FlowResult) throws {
    let isDouble = result.model.dtype == "float64"
    var writer = SafetensorsWriter(
      remarks: [
        "schema": FlowResult.schemaName, "tool_version": result.toolVersion,
        "model": result.model.name, "model_sha256": result.model.sha256, "text": result.text,
      ])
    for array in arrays {
      writer.add(array.name, isDouble ? .f64 : .f32, shape: array.shape) { buffer in
        if isDouble {
          array.values.withUnsafeBytes { buffer.copyMemory(from: $0) }
        } else {
          array.values.map { Float($0) }.withUnsafeBytes { buffer.copyMemory(from: $0) }
        }
      }
    }
    try OutputFile.uninterrupted { try writer.write(to: URL(fileURLWithPath: file.target)) }
  }
}
