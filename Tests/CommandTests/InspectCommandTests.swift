import Foundation
import Results
import TestSupport
import Testing

/// What a model is, and what it shows, without a person's knowing it before.
@Suite("Inspect and capture")
struct InspectCommandTests {
  private let source = Fixtures.url("models/modernbert").path

  @Test("inspect says everything of a model without running it")
  func inspect() throws {
    let outcome = try Command.run(["inspect", source])
    #expect(outcome.code == 0 && outcome.errors == "")
    #expect(outcome.text == modernBERT)
    #expect(try Command.run(["inspect", "--model", source]).text == modernBERT)
  }

  @Test("A configuration alone tells the same of blocks, sites and methods, and nothing of files")
  func configuration() throws {
    let folder = try Folder()
    try FileManager.default.copyItem(
      atPath: source + "/config.json", toPath: (folder / "config.json").path)
    let alone = try Command.run(["inspect", "--json", "-", (folder / "config.json").path])
    let whole = try Command.run(["inspect", "--json", "-", source])
    #expect(alone.code == 0 && alone.errors == "" && whole.code == 0)
    var expected = try InspectResult.decoded(from: whole.output)
    #expect(expected.storage?.types.map(\.bytes) == [47140])
    (expected.storage, expected.name) = (nil, folder.url.lastPathComponent)
    #expect(try InspectResult.decoded(from: alone.output) == expected)
  }

  @Test("No line is wider than the terminal")
  func narrow() throws {
    let outcome = try Command.run(["inspect", source], settings: ["COLUMNS": "60"])
    let lines = outcome.text.split(separator: "\n")
    #expect(lines.count > modernBERT.split(separator: "\n").count)
    #expect(lines.allSatisfy { $0.count <= 60 })
  }

  @Test("One model is inspected, named once: 64")
  func names() throws {
    try expectFailure(
      ["inspect", source, "other"], 64, "One model is looked at; leave out 'other'.")
    try expectFailure(
      ["inspect", "--model", source, source], 64, "--model names the model; leave out '\(source)'.")
  }

  @Test("capture refuses sites and positions that there are not, and files that cannot be: 64")
  func capture() throws {
    let model = try TinyModel()
    let target = (model.folder / "out.safetensors").path
    func refused(
      _ words: [String], _ message: String, at place: SourceLocation = #_sourceLocation
    ) throws {
      try expectFailure(["capture", "--model", model.path] + words, 64, message, at: place)
      #expect(!FileManager.default.fileExists(atPath: target), sourceLocation: place)
    }
    try refused(
      ["--sites", "feed-forward.router", "-o", target, "ab"],
      "There is no site 'feed-forward.router' in this model; it has embedding, residual.before, "
        + "attention.input, attention.query, attention.key, attention.value, attention.pattern, "
        + "attention.heads, attention.output, scale.attention-input, residual.middle, "
        + "feed-forward.input, feed-forward.gate, feed-forward.up, feed-forward.hidden, "
        + "feed-forward.output, scale.feed-forward-input, residual.after, final-norm, logits (in blocks "
        + "with a layer from 0 to 1, such as residual.after.0, a range such as residual.after.0-1, "
        + "or neither for all layers).")
    try refused(
      ["--sites", "residual.after.2", "-o", target, "ab"],
      "There is no site 'residual.after.2'; this llama has layers 0 to 1.")
    try refused(
      ["--sites", "logits", "-o", target, "--positions", "2", "--", "ab"],
      "Position 2 is out of range; the text has positions 0 to 1.")
    try refused(
      ["--sites", ",", "-o", target, "ab"],
      "--sites says what is written, such as --sites residual.after,logits; telescope inspect "
        + "lists a model's sites.")
    try refused(
      ["--sites", "logits", "ab"],
      "-o says where the values go, such as -o run.safetensors.")
    try refused(
      ["--sites", "logits", "-o", "-", "ab"],
      "-o -: the values go to a file, which appears whole; name one.")
  }
}

private let modernBERT = """
  modernbert · modernbert · 2 layers · 11.8 k parameters
  positions see each other both ways

  sizes
    width       24
    heads       4 of width 6
    hidden      28
    vocabulary  97
    context     64 tokens

  weights
    embedding        2.4 k, 20.0 %
    attention        4.6 k, 39.1 %
    feed-forward     4.0 k, 34.2 %
    norms of blocks  72, 0.6 %
    head             721, 6.1 %
    memory           47.1 kB as float32, 94.3 kB as float64, 23.6 kB as bfloat16
    stored           safetensors, one file
    F32              17 tensors, 11.8 k numbers, 47.1 kB

  embedding
    tokens  a vector per token
    norm    LayerNorm, ε 1e-05: embedding

  block 0 pre-norm
    wiring        x ← x + attention(N x); x ← x + feed-forward(N x)
    norm          LayerNorm, ε 1e-05: before feed-forward
    attention     4 heads of width 6
    scores        q·k × 0.4082483
    window        the whole text
    rope          base 160000, whole heads
    feed-forward  gated, 28 neurons, gelu

  block 1 pre-norm
    wiring        x ← x + attention(N x); x ← x + feed-forward(N x)
    norm          LayerNorm, ε 1e-05: before attention, before feed-forward
    attention     4 heads of width 6
    scores        q·k × 0.4082483
    window        3 positions on each side
    rope          base 100, whole heads
    feed-forward  gated, 28 neurons, gelu

  head
    matrix  tied to the embedding, with bias
    before  a dense layer with gelu, then the norm
    norm    LayerNorm, ε 1e-05: before the head's dense layer, before the head

  sites (position is the text's)
    embedding                 position × 24
    residual.before           position × 24
    attention.input           position × 24
    attention.query           4 × position × 6
    attention.key             4 × position × 6
    attention.value           4 × position × 6
    attention.pattern         4 × query position × key position
    attention.heads           position × 4 × 6
    attention.output          position × 24
    scale.attention-input     position; layers 1
    residual.middle           position × 24
    feed-forward.input        position × 24
    feed-forward.gate         position × 28
    feed-forward.up           position × 28
    feed-forward.hidden       position × 28
    feed-forward.output       position × 24
    scale.feed-forward-input  position
    residual.after            position × 24
    final-norm                position × 24
    logits                    position × 97

  boundaries
    z            residual.before
    u            attention.heads
    z next       residual.after
    attention    z → N → query, key, value → u
    u to z next  output projection, residual, feed-forward network; z held where it is added

  methods
    explain                      yes
    explain --depth block        yes
    explain --depth head, token  yes
    explain --check              no: every position sees every other, so none can be changed alone
    explain --contrast           no: it fills in masks and continues no text
    dla                          no: the head has a nonlinear layer before its norm
    compare                      no: the head has a nonlinear layer before its norm
    lens show                    yes
    lens train                   yes
    flow                         yes
    flow --granularity all       yes
    attribute                    yes
    attribute relp               yes
    attribute rollout            yes
    circuit                      yes
    patch                        yes
    steer                        yes
    capture                      yes
    verify                       yes

  """
