import Checkpoints
import Foundation
import StrictJSON
import TestSupport
import Testing
import Tokenization

@Suite("Vocabularies of GGUF files")
struct GGUFVocabularyTests {
  @Test("Ids of byte-level BPE equal the reference's", arguments: ["gpt2", "digits", "llama3"])
  func bytePairs(_ name: String) throws {
    Corpus.compare(try Vocabulary.gguf(name), name)
  }

  @Test("Ids of byte-level BPE over composed text equal the reference's")
  func composed() throws {
    Corpus.compare(try Vocabulary.gguf("qwen2"), "qwen2")
  }

  @Test(
    "Ids of SentencePiece's models and of WordPiece equal the reference's",
    arguments: ["llama", "t5", "bert"])
  func others(_ name: String) throws {
    Vocabulary.compare(try Vocabulary.gguf(name), name)
  }

  @Test("The tokens around a text are those that the file or its kind asks for")
  func around() throws {
    let llama = try Vocabulary.gguf("llama")
    #expect(llama.beginning == [1])
    #expect(llama.ending == [])
    let t5 = try Vocabulary.gguf("t5")
    #expect(t5.beginning == [])
    #expect(t5.ending == [1])
    let bert = try Vocabulary.gguf("bert")
    #expect(bert.beginning == [2])
    #expect(bert.ending == [3])
    #expect(bert.mask == 4)
  }

  static let refusals: [([String: VocabularyValue], String)] = [
    (
      [:],
      "v: its tokenizer is 'absent'; Telescope reads 'gpt2', 'llama', 't5' and 'bert' from GGUF "
        + "files."
    ),
    (
      ["model": .text("rwkv")],
      "v: its tokenizer is 'rwkv'; Telescope reads 'gpt2', 'llama', 't5' and 'bert' from GGUF files."
    ),
    (
      ["model": .integer(1)],
      "v: 'tokenizer.ggml.model' is a whole number, not a text; the file is damaged, so get it again."
    ),
    (
      ["model": .text("llama")],
      "v: 'tokenizer.ggml.tokens' is missing; the file is damaged, so get it again."
    ),
    (
      ["model": .text("gpt2"), "tokens": .texts(["a"])],
      "v: 'tokenizer.ggml.merges' is missing; the file is damaged, so get it again."
    ),
    (
      ["model": .text("t5"), "tokens": .texts(["a"])],
      "v: 'tokenizer.ggml.scores' is missing; the file is damaged, so get it again."
    ),
    (
      ["model": .text("llama"), "tokens": .texts(["a"]), "scores": .reals([0, 1])],
      "v: there are 1 tokens but 2 scores; the file is damaged, so get it again."
    ),
    (
      ["model": .text("llama"), "tokens": .texts(["a"]), "bos_token_id": .integer(7)],
      "v: 'tokenizer.ggml.bos_token_id' is 7, but there are 1 tokens; the file is damaged, so get it "
        + "again."
    ),
    (
      [
        "model": .text("t5"), "tokens": .texts(["a", "b", "c"]), "scores": .reals([0, 0, 0]),
        "precompiled_charsmap": .integers([0, 300]),
      ],
      "v: 'tokenizer.ggml.precompiled_charsmap' holds 300, which is no byte; the file is damaged, so "
        + "get it again."
    ),
    (
      ["model": .text("bert"), "tokens": .texts(["▁a"])],
      "v: the file names no special tokens, and BERT's are beyond its vocabulary; the file is damaged, "
        + "so get it again."
    ),
  ]

  @Test("What is missing, contradictory or unknown is said in a sentence", arguments: refusals)
  func refused(_ values: [String: VocabularyValue], _ message: String) {
    let named = Dictionary(
      uniqueKeysWithValues: values.map { ("tokenizer.ggml." + $0.key, $0.value) })
    do throws(TokenizationError) {
      _ = try Tokenizer(gguf: named, file: "v")
      Issue.record("\(message): it loads")
    } catch {
      #expect(error.message == message)
    }
  }
}

/// The fixtures of `tokenization/vocabularies`.
enum Vocabulary {
  static func gguf(_ name: String) throws -> Tokenizer {
    let file = Fixtures.url("tokenization/vocabularies/\(name).gguf")
    return try Tokenizer(gguf: values(Checkpoint(file).metadata), file: name + ".gguf")
  }

  static func values(_ metadata: [String: GGUFValue]) -> [String: VocabularyValue] {
    metadata.filter { $0.key.hasPrefix("tokenizer.") }.compactMapValues { value in
      switch value {
      case .integer(let value): .integer(value)
      case .boolean(let value): .boolean(value)
      case .string(let value): .text(value)
      case .integers(let values): .integers(values)
      case .reals(let values): .reals(values)
      case .strings(let texts): .texts((0..<texts.count).map { texts.string(at: $0)! })
      default: nil
      }
    }
  }

  /// Holds every line of the corpus against reference ids of text without special tokens.
  static func compare(
    _ tokenizer: Tokenizer, _ name: String, map: (Int) -> Int = { $0 },
    _ location: SourceLocation = #_sourceLocation
  ) {
    let reference = Corpus.load("vocabularies/\(name).ids.json").array!
    #expect(reference.count == Corpus.lines.count, sourceLocation: location)
    var wrong = 0
    // A line without ids is one whose division only the rounding of the reference decides.
    #expect(reference.count { $0.isNull } <= 4, sourceLocation: location)
    for (index, line) in Corpus.lines.enumerated() where !reference[index].isNull {
      let wanted = reference[index].array!.map { map($0.integer!) }
      let found = tokenizer.encode(line).ids
      guard found != wanted else { continue }
      wrong += 1
      if wrong <= 5 {
        Issue.record(
          "line \(index) \(line.debugDescription): \(found), not \(wanted)",
          sourceLocation: location)
      }
    }
    if wrong > 5 { Issue.record("\(wrong) lines differ", sourceLocation: location) }
  }
}
