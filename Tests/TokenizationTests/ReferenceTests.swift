import Testing
import Tokenization

@Suite("Byte-level BPE against the reference implementation")
struct ReferenceTests {
  static let names = ["gpt2", "digits", "llama3", "qwen2", "prefix"]

  @Test("Ids equal the reference's on every line of the corpus", arguments: names)
  func ids(_ name: String) throws {
    let tokenizer = try Tokenizer(json: Corpus.bytes(name + ".tokenizer.json"))
    Corpus.compare(tokenizer, name)
  }
}
