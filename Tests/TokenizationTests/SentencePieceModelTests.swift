import Foundation
import StrictJSON
import TestSupport
import Testing
import Tokenization

@Suite("SentencePiece model files")
struct SentencePieceModelTests {
  private func bytes(_ name: String) -> [UInt8] {
    Corpus.bytes("vocabularies/" + name + ".model")
  }

  private func configuration(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test(
    "Ids equal SentencePiece's on the corpus",
    arguments: ["unigram", "t5", "llama", "gemma", "pairs"])
  func ids(_ name: String) throws {
    let tokenizer = try Tokenizer(sentencePiece: bytes(name), file: name + ".model")
    Vocabulary.compare(tokenizer, name)
  }

  @Test("A class that shifts ids shifts them, and adds its tokens")
  func families() throws {
    let pieces = try SentencePieceModel(bytes("unigram")).pieces
    let roberta = try Tokenizer(
      sentencePiece: bytes("unigram"),
      configuration: configuration(#"{"tokenizer_class": "XLMRobertaTokenizerFast"}"#))
    Vocabulary.compare(roberta, "unigram") { $0 == 0 ? 3 : $0 + 1 }
    #expect(roberta.beginning == [0])
    #expect(roberta.ending == [2])
    #expect(roberta.padding == 1)
    #expect(roberta.unknown == 3)
    #expect(roberta.mask == pieces.count + 1)
    #expect(roberta.vocabularySize == pieces.count + 2)
    let camembert = try Tokenizer(
      sentencePiece: bytes("unigram"),
      configuration: configuration(#"{"tokenizer_class": "CamembertTokenizer"}"#))
    Vocabulary.compare(camembert, "unigram") { $0 == 0 ? 3 : $0 + 4 }
    #expect(camembert.beginning == [5])
    #expect(camembert.ending == [6])
    #expect(camembert.mask == pieces.count + 4)
    let t5 = try Tokenizer(
      sentencePiece: bytes("t5"),
      configuration: configuration(#"{"tokenizer_class": "T5Tokenizer"}"#))
    Vocabulary.compare(t5, "t5")
    #expect(t5.ending == [1])
    #expect(t5.id(of: "<extra_id_0>") == 799)
    #expect(t5.id(of: "<extra_id_99>") == 700)
    #expect(t5.encode("x<extra_id_1>", specialTokens: true).ids.last == 798)
    let deberta = try Tokenizer(
      sentencePiece: bytes("unigram"), configuration: [UInt8]?.none, modelType: "deberta-v2")
    Vocabulary.compare(deberta, "unigram")
    #expect(deberta.mask == pieces.count)
  }

  @Test("Llama's class puts a token before a text, and only the first part gets a space if so set")
  func llama() throws {
    let legacy = try Tokenizer(
      sentencePiece: bytes("llama"),
      configuration: configuration(#"{"tokenizer_class": "LlamaTokenizer"}"#))
    let first = try Tokenizer(
      sentencePiece: bytes("llama"),
      configuration: configuration(#"{"tokenizer_class": "LlamaTokenizer", "legacy": false}"#))
    #expect(legacy.beginning == [1])
    #expect(legacy.eos == 2)
    func ids(_ tokenizer: Tokenizer, _ text: String) -> [Int] {
      tokenizer.encode(text, specialTokens: true).ids
    }
    let x = ids(legacy, "xq")
    #expect(ids(legacy, "xq</s>xq") == x + [2] + x)
    #expect(ids(first, "xq</s>xq").starts(with: x + [2]))
    #expect(ids(first, "xq</s>xq") != x + [2] + x)
    // The space in front is added to those that are there.
    #expect(ids(legacy, " xq") != x)
    #expect(legacy.decode(ids(legacy, " xq é😀")) == " xq é😀")
  }

  @Test("Tokens that the configuration adds are found, and take the place of pieces with their id")
  func added() throws {
    let text = """
      {"tokenizer_class": "LlamaTokenizer", "bos_token": "<|begin|>", "add_bos_token": true,
       "added_tokens_decoder": {
         "1": {"content": "<|begin|>", "special": true},
         "1100": {"content": "<tool>", "special": false, "lstrip": true}}}
      """
    let tokenizer = try Tokenizer(sentencePiece: bytes("llama"), configuration: configuration(text))
    #expect(tokenizer.vocabularySize == 1101)
    #expect(tokenizer.bos == 1)
    #expect(tokenizer.text(of: 1) == "<|begin|>")
    #expect(tokenizer.encode("a  <tool>").ids == tokenizer.encode("a").ids + [1100])
  }

  @Test("ALBERT lowers letters, drops accents and sets commas apart from digits")
  func albert() throws {
    let tokenizer = try Tokenizer(
      sentencePiece: bytes("unigram"),
      configuration: configuration(#"{"tokenizer_class": "AlbertTokenizer"}"#))
    #expect(tokenizer.encode("Él").ids == tokenizer.encode("el").ids)
    #expect(tokenizer.encode("``a''").ids == tokenizer.encode("\"a\"").ids)
    let kept = try Tokenizer(
      sentencePiece: bytes("unigram"),
      configuration: configuration(
        #"{"tokenizer_class": "AlbertTokenizer", "do_lower_case": false, "keep_accents": true}"#))
    #expect(kept.encode("Hello").ids != tokenizer.encode("Hello").ids)
    #expect(kept.encode("hello").ids == tokenizer.encode("hello").ids)
  }

  @Test("A folder with a SentencePiece model and no tokenizer.json loads")
  func folder() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data(bytes("t5")).write(to: folder.appending(path: "spiece.model"))
    try Data(#"{"model_type": "switch_transformers"}"#.utf8)
      .write(to: folder.appending(path: "config.json"))
    let tokenizer = try Tokenizer(contentsOf: folder)
    #expect(tokenizer.vocabularySize == 800)
    #expect(tokenizer.ending == [1])
  }

  private func message(_ bytes: [UInt8], _ settings: String = "{}") -> String {
    do throws(TokenizationError) {
      _ = try Tokenizer(sentencePiece: bytes, configuration: configuration(settings))
      return "no error"
    } catch {
      return error.message
    }
  }

  @Test("What is damaged or unknown is said in a sentence")
  func errors() {
    let damaged = "; the file is damaged or of another kind of tokenizer."
    #expect(
      message(Array("IQ== 0\nIg== 1\n".utf8))
        == "tokenizer.model: the bytes are no SentencePiece model" + damaged)
    #expect(message([]) == "tokenizer.model: there are no pieces" + damaged)
    #expect(
      message([0x0A, 0x02, 0x0A, 0x00]) == "tokenizer.model: piece 0 has no text" + damaged)
    #expect(
      message([0x0A, 0x03, 0x0A, 0x01, 0xFF]) == "tokenizer.model: piece 0 is not UTF-8" + damaged)
    #expect(
      message([0x0A, 0x05, 0x0A, 0x01, 0x61, 0x18, 0x09])
        == "tokenizer.model: piece 0 has the kind 9, which SentencePiece does not have" + damaged)
    #expect(
      message([0x0A, 0x03, 0x0A, 0x01, 0x61])
        == "tokenizer.model: the pieces have not exactly one for what is unknown" + damaged)
    // A length beyond the file, however large, and a number of more than ten bytes.
    let length = [0x0A] + [UInt8](repeating: 0xFF, count: 8) + [0x7F]
    #expect(message(length) == "tokenizer.model: the bytes are no SentencePiece model" + damaged)
    #expect(
      message([0x08] + [UInt8](repeating: 0x80, count: 11))
        == "tokenizer.model: the bytes are no SentencePiece model" + damaged)
    let unknown: [UInt8] = [0x0A, 0x05, 0x0A, 0x01, 0x61, 0x18, 0x02]
    #expect(
      message(unknown + [0x12, 0x02, 0x18, 0x03])
        == "tokenizer.model: the model divides at spaces only, which Telescope does not read; use "
        + "the model's tokenizer.json.")
    #expect(
      message(unknown + [0x1A, 0x02, 0x28, 0x00])
        == "tokenizer.model: the model does not write spaces as '▁', which Telescope does not read; "
        + "use the model's tokenizer.json.")
    #expect(
      message(bytes("t5"), #"{"tokenizer_class": "XLNetTokenizer"}"#)
        == "tokenizer_config.json: the ids that 'XLNetTokenizer' gives the pieces of "
        + "tokenizer.model are not known to Telescope; it knows those of AlbertTokenizer, "
        + "CamembertTokenizer, CodeLlamaTokenizer, DebertaV2Tokenizer, GemmaTokenizer, "
        + "LlamaTokenizer, PreTrainedTokenizer, T5Tokenizer and XLMRobertaTokenizer. Use the "
        + "model's tokenizer.json.")
    #expect(
      message(bytes("t5"), #"{"tokenizer_class": "XLMRobertaTokenizer"}"#)
        == "tokenizer.model: XLM-RoBERTa counts on <unk>, <s>, </s> as the first pieces, but they "
        + "are <pad>, </s>, <unk>; use the model's tokenizer.json.")
    #expect(
      message(
        bytes("unigram"), #"{"tokenizer_class": "DebertaV2Tokenizer", "split_by_punct": true}"#)
        == "tokenizer_config.json: 'split_by_punct' is not a setting that Telescope knows with a "
        + "SentencePiece model; use the model's tokenizer.json.")
  }

  @Test("No damage to a model makes reading it crash or take long")
  func fuzz() throws {
    let whole = bytes("unigram")
    var random = SystemRandomNumberGenerator()
    let time = ContinuousClock().measure {
      for round in 0..<300 {
        var copy = round % 3 == 0 ? Array(whole.prefix(.random(in: 0..<whole.count))) : whole
        for _ in 0..<(round % 5) where !copy.isEmpty {
          copy[.random(in: copy.indices, using: &random)] = .random(in: 0...255, using: &random)
        }
        guard let tokenizer = try? Tokenizer(sentencePiece: copy) else { continue }
        let text = tokenizer.encode("ﬁne ½ …! été 👍🏽 zz")
        #expect(text.ids.allSatisfy { $0 < tokenizer.vocabularySize })
      }
    }
    #expect(time < .seconds(30))
  }
}
