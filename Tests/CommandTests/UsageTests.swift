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
        "Unknown command 'expain'; the commands are: explain, aggregate, lens, dla, compare, "
          + "flow, attribute, circuit, patch, steer, inspect, verify, capture, model. See telescope --help."
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
        ["explain", "--dtype", "float8", "hi"],
        "--dtype 'float8': choose one of float32, float64, bfloat16, float16."
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
        ["explain", "--compat", "logit-lens", "hi"],
        "--compat 'logit-lens': the only choice is iglens."
      ),
      (
        ["explain", "--nodes", "4", "hi"],
        "--nodes goes with --estimator gradient or gauss; observed needs no grid."
      ),
      (
        ["explain", "--estimator", "gauss", "--nodes", "4", "--tol", "0.1", "hi"],
        "--tol and --nodes contradict each other; give one."
      ),
      (
        ["explain", "--estimator", "gradient", "--tol", "0.1", "hi"],
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
    "What is asked of parts, paths, checks and lenses is refused where it cannot be meant",
    arguments: [
      (["--depth", "layers"], "--depth 'layers': choose one of layer, block, head, token."),
      (["--neurons", "0"], "--neurons '0': give a whole number from 1 to 10000000, or all."),
      (["--neurons", "some"], "--neurons 'some': give a whole number from 1 to 10000000, or all."),
      (["--path", "all"], "--path 'all': choose one of chain, straight, shapley."),
      (["--paths", "straight"], "--paths 'straight': the only choice is all."),
      (["--baselines", "mean"], "--baselines 'mean': the only choice is all."),
      (
        ["--path", "shapley", "--orders", "1"],
        "--orders '1': give a whole number from 2 to 100000."
      ),
      (["--orders", "5"], "--orders goes with --path shapley or --paths all; leave it out."),
      (
        ["--seed", "-1"], "--seed '-1': give a whole number from 0 to 9223372036854775807."
      ),
      (
        ["--seed", "1"],
        "--seed goes with --path shapley, --paths all or --check by resampling; leave it out."
      ),
      (
        ["--check", "--replace", "mean", "zero", "--seed", "1"],
        "--seed goes with --path shapley, --paths all or --check by resampling; leave it out."
      ),
      (["--tol", "0"], "--tol '0': give a number above 0 and below 1."),
      (["--tol", "nan"], "--tol 'nan': give a number above 0 and below 1."),
      (
        ["--path", "shapley", "--tol", "1e-3"],
        "--tol goes with integrals: --estimator gauss, --depth, --neurons, --path straight, --paths "
          + "all or --check; leave it out."
      ),
      (
        ["--check", "--replace", "median"],
        "--replace needs one or more values, and 'median' is none; " + more
      ),
      (["--check", "--at", "last"], "--at 'last': choose one of position, all."),
      (["--replace", "mean", "--"], "--replace goes with --check; leave it out."),
      (["--at", "all"], "--at goes with --check; leave it out."),
      (["--reference", "texts.txt"], "--reference goes with --check; leave it out."),
      (
        ["--check", "--replace", "zero", "--reference", "texts.txt"],
        "--reference gives means and resamples, and --replace zero needs neither; leave it out."
      ),
      (["--unverified-lens"], "--unverified-lens goes with --lens or --completion; leave it out."),
      (
        ["--lens", "a", "--completion", "b"],
        "--lens and --completion contradict each other; give one."
      ),
      (
        ["--completion", "a", "--baseline", "mean"],
        "--completion sets the baseline to the mean state; leave out --baseline."
      ),
      (
        ["--completion", "a", "--baselines", "all"],
        "--completion sets the baseline to the mean state; leave out --baselines."
      ),
      (
        ["--compat", "iglens", "--target", "kl"],
        "--target kl measures against the model's own output, which --compat iglens does not have; "
          + "leave one out."
      ),
    ] as [([String], String)])
  func treeRefusal(_ words: [String], _ message: String) throws {
    try expectFailure(["explain"] + words + ["hi"], 64, message, settings: settings)
  }

  @Test(
    "dla and compare know their own options, and no others",
    arguments: [
      (
        ["dla", "--target", "prob", "hi"],
        "telescope dla splits logits: --target is logit or logit-diff:TOKEN."
      ),
      (
        ["dla", "--target", "logit-diff:a", "--centred", "hi"],
        "A difference of two logits has no mean to take off; leave out --centred."
      ),
      (
        ["dla", "--depth", "token", "hi"],
        "telescope dla goes down to heads and neurons; use --depth head."
      ),
      (
        ["dla", "--html", "a.html", "hi"],
        "Unknown option '--html'; telescope dla --help lists the options (a prompt that begins with "
          + "a dash goes after --)."
      ),
      (["dla", "hi", "--answer"], "--answer needs a value; see telescope dla --help."),
      (
        ["dla"], "There is no prompt; give one in quotes, or - to read it from standard input."
      ),
      (["dla", "--bos", "--no-bos", "hi"], "--bos and --no-bos contradict each other; give one."),
      (
        ["dla", "--json", "-", "--csv", "-", "hi"],
        "Only one of --json, --csv and --html can go to standard output."
      ),
      (
        ["compare", "--depth", "block", "hi"],
        "Unknown option '--depth'; telescope compare --help lists the options (a prompt that begins "
          + "with a dash goes after --)."
      ),
      (["compare", "--tol", "2", "hi"], "--tol '2': give a number above 0 and below 1."),
      (
        ["compare", "--answer", "a", "--every-token", "hi"],
        "--answer and --every-token contradict each other; give one."
      ),
      (["compare", "a", "b"], "There are 2 prompts; put the text in quotes: \"a b\"."),
    ] as [([String], String)])
  func otherCommands(_ words: [String], _ message: String) throws {
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
