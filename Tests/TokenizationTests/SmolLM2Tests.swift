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
}
