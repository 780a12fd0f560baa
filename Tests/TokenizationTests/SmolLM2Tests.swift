import Checkpoints
import Foundation
import TestSupport
import Testing
import Tokenization

/// The vocabulary of a GGUF file as plain values.
func vocabulary(of url: URL) throws -> (vocabulary: BytePairVocabulary, chatTemplate: String?) {
  let metadata = try GGUF(url).metadata
  func strings(_ key: String) -> [String] {
    var result: [String] = []
    metadata[key]?.strings?.forEach { result.append(String(decoding: $1, as: UTF8.self)) }
    return result
  }
  let vocabulary = BytePairVocabulary(
    tokens: strings("tokenizer.ggml.tokens"), merges: strings("tokenizer.ggml.merges"),
    tokenTypes: metadata["tokenizer.ggml.token_type"]?.integers ?? [],
    preTokenizer: metadata["tokenizer.ggml.pre"]?.string ?? "default",
    bos: metadata["tokenizer.ggml.bos_token_id"]?.integer,
    eos: metadata["tokenizer.ggml.eos_token_id"]?.integer,
    unknown: metadata["tokenizer.ggml.unknown_token_id"]?.integer,
    padding: metadata["tokenizer.ggml.padding_token_id"]?.integer,
    addsBOS: metadata["tokenizer.ggml.add_bos_token"]?.boolean)
  return (vocabulary, metadata["tokenizer.chat_template"]?.string)
}

@Suite("The tokenizer of SmolLM2")
struct SmolLM2Tests {
  static let file = Fixtures.checkout.appending(
    path: ".deps/models/SmolLM2-135M-Instruct.Q4_1.gguf")

  static let source = Result { try vocabulary(of: file) }

  @Test("Ids equal the reference's on every line of the corpus")
  func ids() throws {
    let tokenizer = try Tokenizer(vocabulary: Self.source.get().vocabulary)
    Corpus.compare(tokenizer, "smollm2")
  }

  @Test("The file says how the model begins and ends a text")
  func roles() throws {
    let tokenizer = try Tokenizer(vocabulary: Self.source.get().vocabulary)
    #expect(tokenizer.vocabularySize == 49_152)
    #expect(tokenizer.bos == 1 && tokenizer.eos == 2 && !tokenizer.addsBOS)
    #expect(tokenizer.endOfText == [0, 2])
    let text = tokenizer.encode("The capital of France is")
    #expect(
      text.ids.map { tokenizer.text(of: $0) } == ["The", " capital", " of", " France", " is"])
    #expect(text.ranges == [0..<3, 3..<11, 11..<14, 14..<21, 21..<24])
    // The vocabulary lacks the control character U+0004.
    #expect(tokenizer.encode("a\u{04}").omitted == [1..<2])
  }

  @Test("Its chat template makes the prompt the model was tuned on")
  func template() throws {
    let source = try #require(try Self.source.get().chatTemplate)
    let text = try ChatTemplate(source).render(messages: [ChatMessage(role: "user", content: "Hi")])
    #expect(
      text == """
        <|im_start|>system
        You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
        <|im_start|>user
        Hi<|im_end|>
        <|im_start|>assistant

        """)
    let tokenizer = try Tokenizer(vocabulary: Self.source.get().vocabulary)
    let ids = tokenizer.encode(text, specialTokens: true).ids
    #expect(ids.filter { $0 == 1 }.count == 3 && ids.filter { $0 == 2 }.count == 2)
  }

  @Test("Two megabytes of text take less than a second")
  func speed() throws {
    let tokenizer = try Tokenizer(vocabulary: Self.source.get().vocabulary)
    let corpus = String(repeating: Corpus.lines.joined(separator: "\n"), count: 20)
    let time = fastest { _ = tokenizer.encode(corpus) }
    let rate = Double(corpus.utf8.count) / (time / .seconds(1))
    #expect(rate > 2e6, "\(rate) bytes a second")
  }

  @Test("A megabyte of one character takes time like other text", arguments: ["a", " ", "\n", "="])
  func longRuns(_ character: String) throws {
    let tokenizer = try Tokenizer(vocabulary: Self.source.get().vocabulary)
    let text = String(repeating: character, count: 1 << 20)
    let time = fastest { _ = tokenizer.encode(text) }
    #expect(time < .seconds(2))
    #expect(tokenizer.decode(tokenizer.encode(text).ids) == text)
  }

  @Test("The tokenizer is ready in less than 60 milliseconds")
  func loading() throws {
    let vocabulary = try Self.source.get().vocabulary
    let time = try fastest { _ = try Tokenizer(vocabulary: vocabulary) }
    #expect(time < .milliseconds(60))
  }

  /// The shortest of several runs.
  private func fastest(_ work: () throws -> Void) rethrows -> Duration {
    var best = Duration.seconds(1000)
    for _ in 0..<3 { best = min(best, try processorTime(work)) }
    return best
  }
}
