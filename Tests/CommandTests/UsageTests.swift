import Foundation
import Testing

/// Command lines that cannot be meant: exit code 64, before any model is read.
@Suite("Usage")
struct UsageTests {
  /// There is no model here: a usage error comes before it is missed.
  private let settings = ["TELESCOPE_MODEL": "/no/such/model"]

  private static let more = "see telescope explain --help."

  @Test(
    "A command line that cannot be meant is refused",
    arguments: [
      (
        [],
        "No command is given; try telescope explain \"The capital of France is\", or telescope "
          + "--help."
      ),
      (
        ["expain", "x"],
        "Unknown command 'expain'; the commands are: explain, lens. See telescope --help."
      ),
      (
        ["explain", "--jsno", "x", "prompt"],
        "Unknown option '--jsno'; telescope explain --help lists the options (a prompt that begins "
          + "with a dash goes after --)."
      ),
      (
        ["explain"],
        "There is no prompt; give one in quotes, or - to read it from standard input."
      ),
      (
        ["explain", "The", "capital"],
        "There are 2 prompts; put the text in quotes: \"The capital\"."
      ),
      (["explain", ""], "The prompt is empty; give at least one token of text."),
      (["explain", "-"], "The prompt is empty; give at least one token of text."),
      (["explain", "hi", "--answer"], "--answer needs a value; " + more),
      (["explain", "--answer", "--json", "out.json", "hi"], "--answer needs a value; " + more),
      (["explain", "hi", "--layers"], "--layers needs one or more values; " + more),
      (
        ["explain", "--layers", "last", "hi"],
        "--layers needs one or more values, and 'last' is none; " + more
      ),
      (
        ["explain", "--layers=1,x", "hi"],
        "--layers needs one or more values, and '1,x' is none; " + more
      ),
      (
        ["explain", "--position", "-1", "hi"],
        "--position needs one or more values, and '-1' is none; " + more
      ),
      (["explain", "--quiet=yes", "hi"], "--quiet takes no value; leave out '=yes'."),
      (["explain", "--k", "2", "--k", "3", "hi"], "--k is given 2 times; give it once."),
      (["explain", "--k", "0", "hi"], "--k '0': give a whole number from 1 to 100000."),
      (
        ["explain", "--threads", "two", "hi"],
        "--threads 'two': give a whole number from 1 to 1024."
      ),
      (["explain", "--onset", "1.5", "hi"], "--onset '1.5': give a share above 0 and up to 1."),
      (["explain", "--memory", "much", "hi"], "--memory 'much': give a size such as 500M or 2G."),
      (["explain", "--memory", "0", "hi"], "--memory '0': give a size such as 500M or 2G."),
      (["explain", "--device", "gpu", "hi"], "--device 'gpu': choose one of cpu, cuda, mps."),
      (
        ["explain", "--dtype", "float16", "hi"],
        "--dtype 'float16': choose one of float32, float64, bfloat16."
      ),
      (
        ["explain", "--device", "mps", "--dtype", "float64", "hi"],
        "--dtype float64 does not exist on --device mps; use --device cpu."
      ),
      (
        ["explain", "--baseline", "median", "hi"],
        "--baseline 'median': choose one of mean, mean-all, mean-nosink, zero, embedding, "
          + "final-of:TEXT."
      ),
      (
        ["explain", "--baseline", "final-of:", "hi"],
        "--baseline final-of: needs a text after the colon."
      ),
      (
        ["explain", "--target", "rank", "hi"],
        "--target 'rank': choose one of prob, logprob, logit, entropy, kl, prob-diff:TOKEN, "
          + "logit-diff:TOKEN."
      ),
      (
        ["explain", "--estimator", "simpson", "hi"],
        "--estimator 'simpson': choose one of observed, gradient, gauss."
      ),
      (
        ["explain", "--compat", "logit-lens", "hi"], "--compat 'logit-lens': choose one of iglens."
      ),
      (
        ["explain", "--nodes", "4", "hi"],
        "--nodes goes with --estimator gradient or gauss; observed needs no grid."
      ),
      (
        ["explain", "--estimator", "gauss", "--nodes", "4", "--tol", "0.1", "hi"],
        "--tol goes with --estimator gauss, and in place of --nodes; leave one out."
      ),
      (["explain", "--contrast", "", "hi"], "--contrast: the text is empty; give another prompt."),
      (["explain", "--ids", "1", "hi"], "--ids gives the prompt; leave out 'hi'."),
      (
        ["explain", "--loop", "hi"],
        "--loop reads prompts from standard input; leave out 'hi'."
      ),
      (
        ["explain", "--json", "-", "--csv", "-", "hi"],
        "Only one of --json, --csv and --html can go to standard output."
      ),
      (
        ["explain", "--json", "a", "--csv", "./a", "hi"],
        "--csv './a': another output goes to the same file; name a different one."
      ),
    ] as [([String], String)])
  func refusal(_ words: [String], _ message: String) throws {
    try expectFailure(words, 64, message, settings: settings)
  }

  @Test(
    "Options that contradict each other are refused, so that none is read and ignored",
    arguments: [
      ["--bos", "--no-bos"], ["--layers", "1", "--k", "2"],
      ["--answer", "a", "--every-token"], ["--answer", "a", "--position", "0"],
      ["--every-token", "--max-new-tokens", "2"], ["--contrast", "a", "--every-token"],
      ["--contrast", "a", "--position", "0"], ["--chat", "--bos"], ["--chat", "--no-bos"],
      ["--ids", "1", "--chat"], ["--ids", "1", "--bos"], ["--ids", "1", "--no-bos"],
      ["--ids", "1", "--loop"], ["--loop", "--json", "a"], ["--loop", "--html", "a"],
    ])
  func contradiction(_ words: [String]) throws {
    let names = words.filter { $0.hasPrefix("--") }
    try expectFailure(
      ["explain"] + words + ["hi"], 64,
      "\(names.joined(separator: " and ")) contradict each other; give one.", settings: settings)
  }

  @Test("--help gives the whole text, on standard output")
  func help() throws {
    let general = try Command.run(["--help"])
    #expect(general.code == 0 && general.errors == "")
    #expect(
      general.text == """
        telescope shows where inside a language model a prediction is made.

        usage: telescope explain [options] "prompt"
               telescope lens show|train|means [options]

          explain     split the probability of each token over the layers that produce it
          lens        read every layer's state as if it were the last (logit lens, tuned lens)

        telescope explain --help and telescope lens --help list their options; telescope --version
        prints the version.

        """)
    #expect(try Command.run(["help"]).text == general.text)
    let explain = try Command.explain("--help")
    #expect(explain.code == 0 && explain.errors == "" && explain.text == explainHelp)
    #expect(try Command.explain("hi", "-h").text == explainHelp)
  }

  @Test("--version names Telescope and its engine")
  func version() throws {
    let outcome = try Command.run(["--version"])
    #expect(outcome.code == 0 && outcome.errors == "")
    #expect(outcome.text.wholeMatch(of: /telescope \d+\.\d+\.\d+ \(libtorch 2\.11\.0.*\)\n/) != nil)
    #expect(try Command.explain("--version").text == outcome.text)
  }

  @Test("A missing default model is named with where it was looked for")
  func noDefaultModel() throws {
    let folder = try Folder()
    // A copy of the program outside any checkout finds no `.deps` above it.
    try FileManager.default.copyItem(at: Command.program, to: folder / "telescope")
    let process = Command.process(
      ["explain", "hi"], ["XDG_CACHE_HOME": folder.path, "HOME": folder.path])
    process.executableURL = folder / "telescope"
    let errors = Pipe()
    process.standardError = errors
    try process.run()
    let text = String(
      decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    #if os(macOS)
      let cache = folder.path + "/Library/Caches"
    #else
      let cache = folder.path
    #endif
    #expect(
      text == "telescope: There is no default model at "
        + "\(cache)/telescope/models/SmolLM2-135M-Instruct.Q4_1.gguf; run `make setup` in the "
        + "checkout, or name a model with --model or TELESCOPE_MODEL.\n")
    #expect(process.terminationStatus == 66)
  }
}

private let explainHelp = """
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
    --compat iglens          the published script's numbers, for comparison: its hidden
                             states count as layers, and unless given, baseline mean-all
                             and estimator gradient

  Where to
    --json FILE              everything, schema telescope/explain/1 (- for standard output)
    --csv FILE               one line per token and layer
    --html FILE              one page that needs no network
    --reproducible           leave out wall times, so that the same run gives the same
                             bytes

  Everywhere
    --model PATH             GGUF file, safetensors file, or model folder
                             (default: $TELESCOPE_MODEL, then SmolLM2-135M-Instruct)
    --device cpu|cuda|mps    where to run (default cpu)
    --dtype TYPE             float32 (default), float64, bfloat16
    --threads N              processor threads (default: all)
    --memory SIZE            the most for weights and run, such as 2G
    --ignore-config-key KEY  run although Telescope does not know this key; repeatable
    --quiet, -q              no progress, no notes
    --version                the version
    --help, -h               this text

  """
