import Foundation
import Testing
import Tokenization

@Suite("Texts, ids and ranges")
struct TokenizerTests {
  /// The small tokenizers that neither normalize nor lack a byte.
  static let exact = ["gpt2", "llama3"]

  static func tokenizer(_ name: String) throws -> Tokenizer {
    try Tokenizer(json: Corpus.bytes(name + ".tokenizer.json"))
  }

  @Test("Decoding gives back every line, byte for byte", arguments: exact)
  func roundTrip(_ name: String) throws {
    let tokenizer = try Self.tokenizer(name)
    for line in Corpus.lines {
      let text = tokenizer.encode(line)
      #expect(tokenizer.decode(text.ids).utf8.elementsEqual(line.utf8), "\(line.debugDescription)")
      #expect(text.omitted.isEmpty)
    }
  }

  @Test("The range of each token holds its bytes, and the ranges fill the text", arguments: exact)
  func ranges(_ name: String) throws {
    let tokenizer = try Self.tokenizer(name)
    for line in Corpus.lines {
      let text = tokenizer.encode(line)
      let bytes = Array(line.utf8)
      var end = 0
      for (id, range) in zip(text.ids, text.ranges) {
        #expect(range.lowerBound == end)
        #expect(tokenizer.bytes(of: id) == Array(bytes[range]))
        end = range.upperBound
      }
      #expect(end == bytes.count)
    }
  }

  @Test("Bytes without a token are omitted, and named; the rest decodes")
  func omissions() throws {
    let tokenizer = try Self.tokenizer("digits")
    let text = tokenizer.encode("a\u{04}\u{06}b!\u{06}!")
    #expect(text.omitted == [1..<3, 5..<6])
    #expect(tokenizer.decode(text.ids) == "ab!!")
    for line in Corpus.lines {
      let text = tokenizer.encode(line)
      var bytes = Array(line.utf8)
      for range in text.omitted.reversed() { bytes.removeSubrange(range) }
      #expect(text.ids.flatMap { tokenizer.bytes(of: $0) } == bytes)
    }
  }

  @Test("Normalized text decodes to its normal form, and ranges name whole changed characters")
  func normalization() throws {
    let tokenizer = try Self.tokenizer("qwen2")
    let text = tokenizer.encode("e\u{301}!")
    #expect(tokenizer.decode(text.ids).utf8.elementsEqual("\u{E9}!".utf8))
    #expect(text.ranges == [0..<3, 3..<4])
    let mixed = tokenizer.encode("x \u{1100}\u{1161}\u{11A8}\u{11A7} \u{AC00}\u{11A8}")
    #expect(tokenizer.decode(mixed.ids).utf8.elementsEqual("x \u{AC01}\u{11A7} \u{AC01}".utf8))
    #expect(mixed.ranges.first == 0..<1)
    #expect(mixed.ranges.last?.upperBound == mixed.text.utf8.count)
    for line in Corpus.lines {
      let text = tokenizer.encode(line)
      // Canonically equivalent, which is what `==` on strings asks.
      #expect(tokenizer.decode(text.ids) == line)
      #expect(
        zip(text.ranges, text.ranges.dropFirst()).allSatisfy { $0.lowerBound <= $1.lowerBound })
      #expect(text.ranges.last?.upperBound ?? 0 == line.utf8.count)
    }
  }

  @Test("A space put before the text stands for nothing in it")
  func prefixSpace() throws {
    let tokenizer = try Self.tokenizer("prefix")
    let text = tokenizer.encode("one two")
    #expect(tokenizer.decode(text.ids) == " one two")
    #expect(text.ranges.first?.lowerBound == 0)
    #expect(text.ranges.last?.upperBound == 7)
    #expect(tokenizer.encode(" one two").ids == text.ids)
  }

  @Test("Special tokens are found only when asked, added text always")
  func specialTokens() throws {
    let tokenizer = try Self.tokenizer("qwen2")
    let end = try #require(tokenizer.id(of: "<|im_end|>"))
    let call = try #require(tokenizer.id(of: "<tool_call>"))
    #expect(tokenizer.isSpecial(end) && !tokenizer.isSpecial(call))
    let text = "a<tool_call><|im_end|>"
    #expect(!tokenizer.encode(text).ids.contains(end))
    #expect(tokenizer.encode(text).ids.contains(call))
    let special = tokenizer.encode(text, specialTokens: true)
    #expect(special.ids.suffix(2) == [call, end])
    #expect(special.ranges.suffix(2) == [1..<12, 12..<22])
    #expect(tokenizer.text(of: end) == "<|im_end|>")
  }

  @Test("A text without text has no tokens")
  func emptyText() throws {
    let text = try Self.tokenizer("prefix").encode("")
    #expect(text == TokenizedText(text: "", ids: [], ranges: []))
  }

  @Test("Ids beyond the vocabulary stand for nothing; half a character is U+FFFD")
  func strangeIDs() throws {
    let tokenizer = try Self.tokenizer("gpt2")
    #expect(tokenizer.bytes(of: -1) == [] && tokenizer.bytes(of: tokenizer.vocabularySize) == [])
    let half = try #require(tokenizer.encode("\u{10FFFF}").ids.first)
    #expect(tokenizer.text(of: half) == "\u{FFFD}")
    #expect(tokenizer.decode([half, 0, -5, .max]) == "\u{FFFD}!")
  }

  @Test("The file says which token begins a text, and the configuration may overrule it")
  func roles() throws {
    let plain = try Self.tokenizer("gpt2")
    #expect(!plain.addsBOS && plain.bos == nil && plain.eos == nil)
    #expect(plain.endOfText == [plain.id(of: "<|endoftext|>")!])
    let llama = try Self.tokenizer("llama3")
    #expect(llama.addsBOS && llama.bos == llama.id(of: "<|begin_of_text|>"))
    #expect(llama.endOfText.count == 2)
    let configuration = """
      {"bos_token": {"content": "<|begin_of_text|>"}, "eos_token": "<|eot_id|>",
       "add_bos_token": false, "pad_token": null, "chat_template": "{{ messages }}"}
      """
    let configured = try Tokenizer(
      json: Corpus.bytes("llama3.tokenizer.json"), configuration: Array(configuration.utf8))
    #expect(!configured.addsBOS && configured.bos == llama.bos)
    #expect(configured.eos == llama.id(of: "<|eot_id|>"))
    #expect(configured.chatTemplate == "{{ messages }}")
  }

  @Test("A folder gives the tokenizer, its configuration and its template")
  func folder() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tokenizer-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data(Corpus.bytes("gpt2.tokenizer.json"))
      .write(to: folder.appending(path: "tokenizer.json"))
    try Data(#"{"eos_token": "<|endoftext|>"}"#.utf8)
      .write(to: folder.appending(path: "tokenizer_config.json"))
    try Data("{{ bos_token }}".utf8).write(to: folder.appending(path: "chat_template.jinja"))
    for place in [folder, folder.appending(path: "tokenizer.json")] {
      let tokenizer = try Tokenizer(contentsOf: place)
      #expect(tokenizer.eos == tokenizer.id(of: "<|endoftext|>"))
      #expect(tokenizer.chatTemplate == "{{ bos_token }}")
    }
  }

  @Test("Tokens that are canonically equivalent are different tokens")
  func canonicalEquivalence() throws {
    let alphabet = (0..<256).map { byte in
      String(decoding: spelled([UInt8(byte)]), as: UTF8.self)
    }
    // The byte-level spelling of é as one scalar, and as e with an accent.
    let composed = String(decoding: spelled(Array("\u{E9}".utf8)), as: UTF8.self)
    let tokens = alphabet + [composed, "A\u{30A}", "\u{C5}"]
    let vocabulary = BytePairVocabulary(
      tokens: tokens, merges: ["Ã ©"], tokenTypes: Array(repeating: 1, count: 257) + [4, 4],
      preTokenizer: "gpt-2")
    let tokenizer = try Tokenizer(vocabulary: vocabulary)
    #expect(tokenizer.encode("\u{E9}").ids == [256])
    #expect(tokenizer.encode("e\u{301}").ids.count == 3)
    #expect(tokenizer.encode("A\u{30A}\u{C5}").ids == [257, 258])
    #expect(tokenizer.id(of: "\u{C5}") == 258)
  }

  /// The byte-level alphabet, written out once more.
  private func spelled(_ bytes: [UInt8]) -> [UInt8] {
    var text = ""
    for byte in bytes {
      let printable = (33...126).contains(byte) || (161...172).contains(byte) || byte >= 174
      let others = (0..<256).filter {
        !((33...126).contains($0) || (161...172).contains($0) || $0 >= 174)
      }
      let value = printable ? Int(byte) : 256 + others.firstIndex(of: Int(byte))!
      text.unicodeScalars.append(Unicode.Scalar(UInt32(value))!)
    }
    return Array(text.utf8)
  }
}
