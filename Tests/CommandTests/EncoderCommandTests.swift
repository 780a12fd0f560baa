import Foundation
import Results
import TestSupport
import Testing

/// Encoders fill in what stands behind a mask.
@Suite("Encoders")
struct EncoderCommandTests {
  private let model: TinyEncoder

  init() throws { model = try TinyEncoder() }

  private func result(_ words: String...) throws -> ExplainResult {
    let outcome = try Command.run(
      ["explain", "--json", "-", "--model", model.path, "--reproducible"] + words)
    #expect(outcome.code == 0 && outcome.errors == "")
    return try outcome.result()
  }

  @Test("A mask is filled in with the most probable token, read from the whole text")
  func mask() throws {
    let found = try result("word7 [MASK] word9")
    #expect(found.tokens.map(\.id) == [2, 12, 4, 14, 3])
    #expect(found.promptTokens == 5)
    #expect(found.explanations.map(\.position) == [2])
    let explanation = found.explanations[0]
    #expect(explanation.attributions.map(\.layer) == [0, 1])
    #expect(explanation.attributions.last?.rank == 1)
    #expect(explanation.attributions.last?.top?.first?.id == explanation.target.id)
    #expect(abs(explanation.certificate) < 1e-6)
    // A token after the mask counts.
    let other = try result("word7 [MASK] word10").explanations[0]
    #expect(other.position == 2)
    #expect(abs(other.modelValue - explanation.modelValue) > 1e-3)
  }

  @Test("What the terminal shows of a mask adds up to the model's probability")
  func screen() throws {
    let outcome = try Command.explain(
      "--model", model.path, "--depth", "block", "--answer", "word11", "word7 [MASK] word9")
    #expect(outcome.code == 0 && outcome.errors == "")
    let lines = outcome.text.split(separator: "\n").map(String.init)
    #expect(lines.first == "\(model.name) · 2 layers · float32 on cpu")
    // All of the text stands before the arrow: what follows the mask is seen too.
    #expect(outcome.text.contains("word7 [MASK] word9 → \"word11\""))
    // Each of the two post-norm blocks has a part of its norms' own.
    #expect(lines.filter { $0.contains("what the block leaves") }.count == 2)
    let answer = try result("--depth", "block", "--answer", "word11", "word7 [MASK] word9")
      .explanations[0]
    #expect(answer.target.id == 16 && answer.target.text == "word11")
    #expect(abs(answer.baselineValue + answer.sum - answer.modelValue) < 1e-6)
    for layer in answer.attributions {
      let parts = try #require(layer.parts)
      #expect(parts.suffix(3).map(\.kind) == [.attention, .mlp, .residual])
      let sum = parts.reduce(layer.residual ?? .nan) { $0 + $1.value }
      #expect(abs(sum - layer.value) < 1e-9)
    }
  }

  @Test("An answer has a token for each mask, and a span of them all")
  func masks() throws {
    let found = try result(
      "--target", "logprob", "--answer", "word7 word8", "[MASK] word9 [MASK]")
    #expect(found.explanations.map(\.position) == [1, 3, 1])
    #expect(found.explanations.map { $0.target.span?.map(\.id) } == [nil, nil, [12, 13]])
    let values = found.explanations.map(\.modelValue)
    #expect(abs(values[0] + values[1] - values[2]) < 1e-6)
  }

  @Test("--position and --every-token are of the tokens where they stand")
  func positions() throws {
    let whole = try result("--every-token", "word7 word8")
    #expect(whole.explanations.map(\.position) == [0, 1, 2, 3])
    #expect(whole.explanations.map(\.target.id) == [2, 12, 13, 3])
    let one = try result("--position", "1", "--", "word7 word8")
    #expect(one.explanations.map(\.position) == [1])
    #expect(one.explanations[0].attributions.last?.rank == 1)
  }

  private func refused(
    _ words: [String], _ message: String, at place: SourceLocation = #_sourceLocation
  ) throws {
    try expectFailure(["explain", "--model", model.path] + words, 64, message, at: place)
  }

  @Test("A prompt without a mask is refused and told how to write one: 64")
  func noMask() throws {
    let message =
      "\(model.name) fills in masks ([MASK]) and the prompt has none; write one where the "
      + "prediction is to be made, or name a place with --position."
    try refused(["word7 word8"], message)
    try refused(["--answer", "word9", "word7 word8"], message)
  }

  @Test("An encoder without a head has no probabilities to explain: 64")
  func noHead() throws {
    let headless = try TinyEncoder("bert-headless")
    try expectFailure(
      ["explain", "--model", headless.path, "word7 [MASK]"], 64,
      "\(headless.name) has no language-model head, so it gives no probabilities of tokens; use a "
        + "checkpoint that has one.")
  }

  @Test("The lens reads the token that stands there, and at a mask the model's own choice")
  func lens() throws {
    func shown(_ text: String) throws -> LensResult {
      let outcome = try Command.run([
        "lens", "show", "--model", model.path, "--json", "-", "--positions", "1", "2", "--", text,
      ])
      #expect(outcome.code == 0 && outcome.errors == "")
      return try LensResult.decoded(from: outcome.output)
    }
    let found = try shown("word7 [MASK] word9")
    let guess = try result("word7 [MASK] word9").explanations[0].target.id
    #expect(found.targets.map(\.id) == [12, guess])
    // What follows the positions shown is read: another word there changes what they say.
    let own = try #require(found.layers.last?.cells)
    let other = try #require(try shown("word7 [MASK] word10").layers.last?.cells)
    #expect(abs(own[0].probability - other[0].probability) > 1e-6)
    try expectFailure(
      ["lens", "show", "--model", model.path, "--answer", "word3", "word7 [MASK]"], 64,
      "\(model.name) fills in masks and continues no text; leave the answer out.")
  }

  @Test(
    "Direct logit attribution needs a linear head, in compare too: 64")
  func linear() throws {
    for command in ["dla", "compare"] {
      try expectFailure(
        [command, "--model", model.path, "word7 [MASK]"], 64,
        "Direct logit attribution needs a head that is linear after its norm; this model's has a "
          + "nonlinear layer before it: use telescope explain.")
    }
  }

  @Test("An answer of another length than the masks is refused with both numbers: 64")
  func otherLength() throws {
    try refused(
      ["--answer", "word7 word8", "word9 [MASK]"],
      "--answer has 2 tokens and the prompt 1 mask; give as many tokens as masks.")
  }

  @Test("What only a decoder can be asked is refused: 64")
  func decodersOnly() throws {
    try refused(
      ["--contrast", "word8 [MASK]", "word7 [MASK]"],
      "--contrast compares one continuation after two prompts, and \(model.name) continues none; "
        + "explain the two texts one by one.")
    try refused(
      ["--check", "word7 [MASK]"],
      "--check replaces a part at one position and runs on from there, and in \(model.name) every "
        + "position sees every other; leave --check out.")
    try refused(
      ["--max-new-tokens", "2", "word7 [MASK]"],
      "--max-new-tokens bounds a continuation, and \(model.name) continues no text; leave it out.")
  }
}

/// A tiny random BERT of two layers whose 97 tokens are BERT's five special ones and `word0` to
/// `word91`, ids 5 to 96; the context holds 24 tokens.
private final class TinyEncoder {
  private let folder: Folder
  var path: String { folder.path }
  var name: String { folder.url.lastPathComponent }

  init(_ fixture: String = "bert") throws {
    folder = try Folder()
    let source = Fixtures.url("models/" + fixture)
    for file in ["config.json", "model.safetensors"] {
      try Data(contentsOf: source.appending(path: file)).write(to: folder / file)
    }
    try Self.tokenizer().write(to: folder / "tokenizer.json")
    try Data(#"{"mask_token": "[MASK]"}"#.utf8).write(to: folder / "tokenizer_config.json")
  }

  private static func tokenizer() throws -> Data {
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    let words = special + (0..<92).map { "word\($0)" }
    let added = special.enumerated().map { id, text in
      [
        "id": id, "content": text, "special": true, "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false,
      ] as [String: Any]
    }
    let object: [String: Any] = [
      "added_tokens": added,
      "normalizer": ["type": "BertNormalizer"],
      "pre_tokenizer": ["type": "BertPreTokenizer"],
      "post_processor": ["type": "BertProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", 3]]
        as [String: Any],
      "decoder": ["type": "WordPiece", "prefix": "##"],
      "model": [
        "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
        "vocab": Dictionary(uniqueKeysWithValues: zip(words, words.indices)),
      ] as [String: Any],
    ]
    return try JSONSerialization.data(withJSONObject: object)
  }
}
