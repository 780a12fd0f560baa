import Checkpoints
import Foundation
import LanguageModels
import StrictJSON
import Tensors
import TestSupport
import Testing
import Tokenization

/// Gemma 3 270M in four bits against stored numbers of a float64 run of the Hugging Face
/// implementation.
@Suite(
  "Gemma 3 270M", .serialized,
  .enabled(
    if: ProcessInfo.processInfo.environment["TELESCOPE_TEST_MODELS"] != nil,
    "the model is not part of the setup; make test-models downloads it and runs these tests"))
struct Gemma3Tests {
  static let file = Fixtures.checkout.appending(path: ".deps/models/gemma-3-270m-q4_k_m.gguf")

  private let stored: JSON

  init() throws {
    stored = try JSON.parse(Data(contentsOf: Fixtures.url("models/gemma3-reference.json")))
  }

  private func ids(_ text: String) throws -> [Int] {
    try #require(stored["texts"]?[text]?["ids"]?.array).compactMap(\.integer)
  }

  @Test("The file is the one that the numbers were stored for")
  func hash() throws {
    let expected = try #require(stored["model_sha256"]?.string)
    #expect(try ModelHash(cache: nil).hash(of: [Self.file]) == expected)
  }

  // In singles ours may be off as much again as the Hugging Face implementation itself is.
  @Test(
    "Logits and states are the reference's, in texts shorter and longer than the window",
    arguments: ["france", "long"], [ScalarType.float32, .float64])
  func values(text: String, type: ScalarType) throws {
    let model = try loadNetwork(of: Checkpoint(Self.file), type: type)
    let ids = try ids(text)
    let singles = try #require(stored["float32_error"]?.double)
    let tolerance = type == .float64 ? 1e-10 : 2 * singles
    let last = ids.count - 1
    let states = (0..<model.shape.layers).map { Site.residual($0, .after) }
    let run = try model.run([ids], capturing: Set([.logits] + states))

    let vocabulary = model.shape.vocabulary
    let logits = run.activations[.logits]
    let top = try #require(stored["texts"]?[text]?["top"]?.array)
    #expect(top.count >= 6)
    for entry in top {
      let position = try #require(entry[0]?.integer)
      let best = try #require(entry[1]?.array).compactMap(\.integer)
      let expected = try #require(entry[2]?.array).compactMap(\.double)
      let found = try logits.slice(position..<position + 1, along: 1).values()
      #expect(found.count == vocabulary && best.count == 20)
      let worst = distance(best.map { found[$0] }, expected)
      #expect(worst.error <= tolerance, "logits at \(position) are off by \(worst)")
      // No other token is better than the last of the best.
      let chosen = Set(best)
      let bound = (expected.last ?? 0) + tolerance * (1 + abs(expected.last ?? 0))
      #expect(found.indices.allSatisfy { chosen.contains($0) || found[$0] <= bound })
    }

    let norms = try states.map { site in
      try run.activations[site].slice(last..<last + 1, along: 1).values()
        .reduce(0) { $0 + $1 * $1 }.squareRoot()
    }
    let worst = distance(
      norms, try #require(stored["texts"]?[text]?["norms"]?.array).compactMap(\.double))
    #expect(worst.error <= tolerance, "norms are off by \(worst)")
  }

  @Test("The file's vocabulary cuts the text as the reference's ids do")
  func tokenizer() throws {
    let tokenizer = try LoadedModel(at: Self.file).tokenizer
    let bos = try #require(tokenizer.bos)
    #expect(tokenizer.addsBOS)
    let found = [bos] + tokenizer.encode("The capital of France is").ids
    #expect(try found == ids("france"))
    let text = try String(contentsOf: Fixtures.url("models/ordinary-text.txt"), encoding: .utf8)
    // The stored ids of the longer text are other pieces of the same characters.
    let long = try Array(ids("long").dropFirst())
    let shown = tokenizer.decode(long)
    #expect(Array(repeating: text, count: 3).joined(separator: " ").hasPrefix(shown))
    #expect(shown.count > text.count)
    #expect(tokenizer.decode(tokenizer.encode(shown).ids) == shown)
  }
}
