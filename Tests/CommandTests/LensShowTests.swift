import Foundation
import Results
import TestSupport
import Testing

/// `telescope lens show`.
@Suite("Lens show")
struct LensShowTests {
  private let model: TinyModel
  private let folder: Folder

  init() throws {
    model = try TinyModel()
    folder = try Folder()
  }

  private func show(_ words: String..., text: String = "Hi.") throws -> Outcome {
    try Command.run(["lens", "show", "--model", model.path] + words + [text])
  }

  private func result(_ words: String..., text: String = "Hi.") throws -> LensResult {
    let outcome = try Command.run(
      ["lens", "show", "--model", model.path, "--json", "-"] + words + [text])
    #expect(outcome.code == 0 && outcome.errors == "")
    return try LensResult.decoded(from: outcome.output)
  }

  private func refused(_ words: [String], _ message: String, _ code: Int32 = 64) throws {
    try expectFailure(["lens", "show", "--model", model.path] + words, code, message)
  }

  @Test("On screen: a grid of tokens and layers, the first at the bottom")
  func screen() throws {
    let outcome = try show("--top", "1")
    #expect(outcome.code == 0 && outcome.errors == "")
    let lines = outcome.text.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines[0] == "\(model.name) · 2 layers · float32 on cpu")
    #expect(lines[1] == "logit lens · states after each block · 3 positions")
    #expect(
      lines.compactMap { $0.split(separator: " ").first }.prefix(8)
        == [Substring(model.name), "logit", "pos", "target", "1", "0", "token", "Each"])
    #expect(lines[3].split(separator: " ") == ["pos", "0", "1", "2"])
  }

  @Test("In JSON: schema, hash, every cell with what was asked for")
  func json() throws {
    let found = try result("--top", "3", "--moment", "middle", "--reproducible")
    #expect(found.schema == "telescope/lens/1" && found.moment == "middle")
    #expect(found.lens == LensDescription(kind: "logit") && found.timingsMs == nil)
    #expect(found.model.sha256.count == 64 && found.text == "Hi.")
    #expect(found.tokens.map(\.text) == ["H", "i", "."] && found.positions == [0, 1, 2])
    #expect(found.targets.map(\.text).prefix(2) == ["i", "."])
    #expect(found.layers.map(\.layer) == [0, 1, 2])
    for cell in found.layers.flatMap(\.cells) {
      #expect(cell.top.count == 3 && cell.rank >= 1)
      #expect(cell.top[0].probability >= cell.top[1].probability)
    }
    // The last row is the model's own output: no divergence, and its choice is the last target.
    let own = found.layers[2].cells
    #expect(own.allSatisfy { $0.divergence < 1e-6 } && own[2].rank == 1)
    #expect(own[2].top[0].id == found.targets[2].id)
    #expect(found.layers[0].cells.allSatisfy { $0.divergence > 1e-4 })
  }

  @Test("Layers, positions, answer and target are what is shown")
  func choices() throws {
    let found = try result("--layers", "embedding", "0", "--positions", "1,2", "--answer", "ab")
    #expect(found.layers.map(\.layer) == [-1, 0, 1] && found.positions == [1, 2])
    #expect(found.tokens.map(\.text) == ["H", "i", ".", "a", "b"])
    #expect(found.targets.map(\.text) == [".", "a"])
    let target = try result("--target", "z", "--k", "1")
    #expect(target.targets.map(\.text) == ["z", "z", "z"] && target.layers.map(\.layer) == [1])
    let ids = try result("--top", "0", text: "Hi.")
    #expect(ids.layers[0].cells[0].top.isEmpty)
  }

  @Test("Files are written beside the grid, and the same command gives the same bytes")
  func files() throws {
    let (json, csv, html) = (folder / "a.json", folder / "a.csv", folder / "a.html")
    let outcome = try show(
      "--reproducible", "--json", json.path, "--csv", csv.path, "--html", html.path)
    #expect(outcome.code == 0)
    #expect(outcome.errors == "Wrote \(json.path)\nWrote \(csv.path)\nWrote \(html.path)\n")
    #expect(try show("--reproducible", "--json", "-").output == Data(contentsOf: json))
    let rows = try String(contentsOf: csv, encoding: .utf8).split(whereSeparator: \.isNewline)
    #expect(rows.count == 1 + 2 * 3)
    #expect(try String(contentsOf: html, encoding: .utf8).contains("\"telescope/lens/1\""))
  }

  @Test("The text may come from standard input")
  func standardInput() throws {
    let outcome = try Command.run(
      ["lens", "show", "--model", model.path, "--json", "-", "--reproducible", "-"],
      input: Data("Hi.\n".utf8))
    #expect(try outcome.output == show("--json", "-", "--reproducible").output)
  }

  @Test("Without words it says what it knows: 64; with --help it tells all: 0")
  func usage() throws {
    try expectFailure(
      ["lens"], 64,
      "telescope lens needs to know what to do: show, train or means; see telescope lens --help.")
    try expectFailure(
      ["lens", "draw"], 64,
      "telescope lens does not know 'draw'; it knows show, train and means (see telescope lens "
        + "--help).")
    for words in [["lens"], ["lens", "show"], ["lens", "train"], ["lens", "means"]] {
      let outcome = try Command.run(words + ["--help"])
      #expect(outcome.code == 0 && outcome.errors == "")
      #expect(outcome.text.hasPrefix("usage: telescope lens"))
      #expect(outcome.text.split(separator: "\n").allSatisfy { $0.count <= 100 })
    }
  }

  @Test("What contradicts, is out of range or is unknown is refused in words")
  func refusals() throws {
    try refused(
      ["--color", "Hi."],
      "Unknown option '--color'; telescope lens show --help lists the options (a prompt that begins "
        + "with a dash goes after --).")
    try refused([], "There is no text; give one in quotes, or - to read it from standard input.")
    try refused(["a", "b"], "There are 2 texts; put the text in quotes: \"a b\".")
    try refused([""], "The text is empty; give at least one token of text.")
    try refused(
      ["--layers", "0", "--k", "1", "Hi."], "--layers and --k contradict each other; give one.")
    try refused(["--ids", "1", "--", "Hi."], "--ids gives the text; leave out 'Hi.'.")
    try refused(
      ["--moment", "between", "Hi."],
      "--moment 'between': choose one of before, middle, after.")
    try refused(
      ["--positions", "3", "--", "Hi."],
      "--positions 3 is out of range; the text has positions 0 to 2.")
    try refused(
      ["--layers", "2", "--", "Hi."],
      "Layer 2 is out of range; this model has layers 0 to 1, and 'embedding' for what enters layer "
        + "0.")
    try refused(
      ["--target", "ab", "Hi."],
      "--target 'ab': the text is 2 tokens; give exactly one (with its leading space, if it has one)."
    )
    try refused(
      ["--unverified-lens", "Hi."], "--unverified-lens goes with --lens; leave it out.")
    try refused(
      ["--json", "-", "--csv", "-", "Hi."],
      "Only one of --json, --csv and --html can go to standard output.")
    try refused(
      ["--lens", "/no/such.safetensors", "Hi."],
      "/no/such.safetensors: there is no such file; check the path.", 66)
  }
}
