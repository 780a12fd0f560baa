import Foundation
import Results
import TestSupport
import Testing

@Suite("telescope patch")
struct PatchCommandTests {
  private let model: TinyModel
  private let folder: Folder

  init() throws {
    model = try TinyModel()
    folder = try Folder()
  }

  private func patch(_ words: String...) throws -> Outcome {
    try Command.run(["patch", "--model", model.path, "--threads", "1"] + words)
  }

  private func result(_ words: String...) throws -> PatchResult {
    let outcome = try Command.run(
      ["patch", "--model", model.path, "--threads", "1", "--dtype", "float64", "--json", "-"]
        + ["--reproducible"] + words)
    #expect(outcome.code == 0 && outcome.errors == "")
    return try PatchResult.decoded(from: outcome.output)
  }

  @Test("Two texts: every unit's grid, between the model's two answers")
  func pair() throws {
    let found = try result("--unit", "all", "--contrast", "abxd", "abcd", "--bos")
    #expect(found.tokens.map(\.text) == ["<s>", "a", "b", "c", "d"])
    #expect(found.contrast?.tokens.map(\.text) == ["<s>", "a", "b", "x", "d"])
    #expect(found.grids.map(\.unit) == ["residual", "attention", "mlp", "head"])
    #expect(found.direction == "denoise" && found.timingsMs == nil)
    let residual = found.grids[0].metric
    #expect(residual.shape == [2, 5] && abs(residual[0, 3] - found.metric.value) < 1e-12)
    #expect(residual[0, 1] == found.metric.start)
    #expect(found.grids[3].metric.shape == [2, 4])
    let other = try result("--direction", "noise", "--contrast", "abxd", "abcd", "--bos")
    #expect(other.metric == found.metric)
    #expect(abs(other.grids[0].metric[0, 3] - (found.metric.start ?? 0)) < 1e-12)
    #expect(other.grids[0].effect?[0, 1] == 1)
  }

  @Test("Layers, positions, answers and metrics are those asked for")
  func choices() throws {
    let found = try result(
      "--contrast", "abxd", "--layers", "1", "--positions", "3", "2", "--answer", "q", "--versus",
      "r", "--target", "prob", "--position", "2", "--", "abcd")
    #expect(found.grids[0].layers == [1] && found.grids[0].positions == [2, 3])
    #expect(found.metric.name == "prob-diff" && found.metric.position == 2)
    #expect(found.metric.token.text == "q" && found.metric.versus?.text == "r")
    // Position 3 is behind the prediction.
    #expect(found.grids[0].metric[0, 1] == found.metric.start)
  }

  @Test("Noise falls on the subject's tokens, and its seed decides it")
  func noise() throws {
    let found = try result(
      "--noise", "3", "--subject", "bc", "--samples", "4", "--seed", "2", "--unit", "residual,mlp",
      "--window", "2", "abcd", "--bos")
    #expect(
      found.noise?.positions == [2, 3] && found.noise?.samples == 4 && found.noise?.seed == 2)
    #expect(found.metric.name == "prob" && found.contrast == nil)
    #expect(found.grids.map(\.window) == [1, 2])
    let again = try result(
      "--noise", "3", "--subject-at", "2", "3", "--samples", "4", "--seed", "2", "--unit",
      "residual,mlp", "--window", "2", "--bos", "--", "abcd")
    #expect(found == again)
    let other = try result(
      "--noise", "3", "--subject-at", "2", "3", "--samples", "4", "--unit", "residual,mlp", "--bos",
      "--", "abcd")
    #expect(other.metric.start != found.metric.start && other.metric.value == found.metric.value)
  }

  @Test("A grid on screen, a table and a page, each written whole")
  func outputs() throws {
    let (csv, html) = ((folder / "p.csv").path, (folder / "p.html").path)
    let outcome = try patch(
      "--contrast", "abxd", "--csv", csv, "--html", html, "--top", "2", "abcd")
    #expect(outcome.code == 0 && outcome.errors == "Wrote \(csv)\nWrote \(html)\n")
    #expect(outcome.text.contains("What enters a block\n  layer"))
    #expect(outcome.text.contains("against \"abxd\""))
    let table = try String(contentsOf: folder / "p.csv", encoding: .utf8)
    #expect(table.components(separatedBy: "\r\n").count == 1 + 2 * 4 + 1)
    let page = try String(contentsOf: folder / "p.html", encoding: .utf8)
    #expect(page.contains("telescope/patch/1") && page.contains("</html>"))
  }

  @Test(
    "What cannot be done is refused with the reason",
    arguments: [
      (
        ["abcd"],
        "Nothing corrupts the text; give another with --contrast, or --noise and --subject."
      ),
      (
        ["--contrast", "abc", "abcd"],
        "The text has 4 tokens and the contrast 3; values are patched token by token, so give two of equal length."
      ),
      (
        ["--contrast", "abcd", "--noise", "1", "abcd"],
        "--contrast and --noise both corrupt the text; give one."
      ),
      (
        ["--noise", "1", "abcd"],
        "--noise needs the tokens that get it: --subject \"some words of the text\", or --subject-at P …."
      ),
      (
        ["--noise", "1", "--subject", "b", "--subject-at", "1", "--", "abcd"],
        "--subject and --subject-at both say which tokens get noise; give one."
      ),
      (
        ["--noise", "1", "--subject", "zz", "abcd"],
        "--subject 'zz': the text has it nowhere; name the tokens with --subject-at P …."
      ),
      (
        ["--noise", "1", "--subject", "a", "abca"],
        "--subject 'a': the text has it 2 times; name the tokens with --subject-at P …."
      ),
      (
        ["--noise", "1", "--subject-at", "9", "--", "abcd"],
        "Position 9 is out of range; the text has positions 0 to 3."
      ),
      (["--noise", "0", "--subject", "a", "abcd"], "--noise '0': give a number above 0."),
      (
        ["--noise", "1", "--subject", "a", "--direction", "noise", "abcd"],
        "--direction goes with --contrast: noise is always what is restored from."
      ),
      (["--contrast", "abxd", "--seed", "1", "abcd"], "--seed goes with --noise; leave it out."),
      (
        ["--contrast", "abxd", "--window", "3", "abcd"],
        "--window joins blocks' attention, mlp or head; a residual stream replaces all before it, so leave it out "
          + "or name another --unit."
      ),
      (
        ["--contrast", "abxd", "--unit", "neuron", "abcd"],
        "--unit 'neuron': choose among residual, attention, mlp, head, all."
      ),
      (
        ["--noise", "3", "--subject", "b", "--answer", "q", "--versus", "q", "abcd"],
        "Both tokens of the difference are 'q'; name two."
      ),
      (
        ["--contrast", "abxd", "--versus", "a", "abcd"],
        "--versus is what --answer is compared with; give both, or leave it out."
      ),
      (
        ["--contrast", "abxd", "--answer", "xy", "abcd"],
        "--answer 'xy' is 2 tokens ('x', 'y'); name one, with the space before it where it begins a word."
      ),
      (
        ["--contrast", "abxd", "--ids", "1", "2"],
        "--ids gives one text, and --contrast is a text of its own; leave --ids out."
      ),
      (
        ["--contrast", "abxd", "--layers", "2", "--", "abcd"],
        "Layer 2 is out of range; this model has layers 0 to 1."
      ),
    ])
  func refusals(words: [String], message: String) throws {
    let outcome = try Command.run(["patch", "--model", model.path, "--threads", "1"] + words)
    #expect(outcome.errors == "telescope: \(message)\n")
    #expect(outcome.code == 64 && outcome.output.isEmpty)
  }
}
