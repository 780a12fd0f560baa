import Testing
import Tokenization

@Suite("Random and hostile texts, and damaged files, of every kind")
struct KindFuzzTests {
  @Test("Ids are of the vocabulary, ranges ascend within the text", arguments: KindTests.names)
  func randomTexts(_ name: String) throws {
    let tokenizer = try TokenizerTests.tokenizer(name)
    var numbers = SeededNumbers(state: 23)
    for round in 0..<1500 {
      let text = round % 2 == 0 ? FuzzTests.scalars(&numbers) : FuzzTests.bytes(&numbers)
      let encoded = tokenizer.encode(text, specialTokens: round % 3 == 0)
      #expect(encoded.ids.allSatisfy { (0..<tokenizer.vocabularySize).contains($0) })
      #expect(encoded.ids.count == encoded.ranges.count)
      #expect(
        zip(encoded.ranges, encoded.ranges.dropFirst()).allSatisfy {
          $0.lowerBound <= $1.lowerBound
        })
      #expect(encoded.ranges.allSatisfy { $0.upperBound <= text.utf8.count })
    }
  }

  @Test("With a token for every byte any text comes back, with a space for U+2581")
  func byteFallback() throws {
    let tokenizer = try TokenizerTests.tokenizer("gemma")
    var numbers = SeededNumbers(state: 29)
    for round in 0..<1500 {
      let text = round % 2 == 0 ? FuzzTests.scalars(&numbers) : FuzzTests.bytes(&numbers)
      let decoded = tokenizer.decode(tokenizer.encode(text).ids)
      #expect(decoded.utf8.elementsEqual(text.replacing("\u{2581}", with: " ").utf8))
    }
  }

  @Test(
    "A damaged file is refused or read, never more",
    arguments: ["bert", "albert", "xlm-roberta", "llama2", "falcon"])
  func damagedFiles(_ name: String) throws {
    let refused = FuzzTests.refusals(
      of: name + ".tokenizer.json", seed: 31, rounds: 120, text: "Héllo <mask> 123\u{2581}")
    #expect(refused > 40)
  }

  @Test("Two megabytes of text take less than a second", arguments: KindTests.names)
  func speed(_ name: String) throws {
    let tokenizer = try TokenizerTests.tokenizer(name)
    let text = String(repeating: Corpus.lines.joined(separator: "\n"), count: 10)
    _ = tokenizer.encode("\u{301}")
    let time = (0..<3).map { _ in processorTime { _ = tokenizer.encode(text) } }.min()!
    let rate = Double(text.utf8.count) / (time / .seconds(1))
    #expect(rate > 2e6, "\(rate) bytes a second")
  }

  @Test(
    "A long run of one character takes time like other text",
    arguments: ["bert", "albert", "xlm-roberta", "t5", "llama2", "gemma", "falcon", "modernbert"])
  func longRuns(_ name: String) throws {
    let tokenizer = try TokenizerTests.tokenizer(name)
    for unit in [
      "a", " ", "\n", "\u{2581}", "e\u{301}", "\u{301}", "<", "\u{4E00}", "a\u{323}\u{307}",
    ] {
      let text = String(repeating: unit, count: (1 << 18) / unit.utf8.count)
      let time = processorTime { _ = tokenizer.encode(text, specialTokens: true) }
      #expect(time < .seconds(1), "\(unit.debugDescription) takes \(time)")
    }
  }
}
