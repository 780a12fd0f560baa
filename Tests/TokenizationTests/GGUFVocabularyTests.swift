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

  @Test("Ids of SentencePiece's models and of WordPiece equal the reference's",
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
