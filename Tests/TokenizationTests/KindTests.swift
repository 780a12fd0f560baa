import Foundation
import TestSupport
import Testing
import Tokenization

@Suite("Every kind of tokenizer against the reference implementation")
struct KindTests {
  static let names = [
    "bert", "bert-cased", "mpnet", "xlm-roberta", "camembert", "albert", "deberta-v2", "t5",
    "llama2",
    "phi3", "mistral", "gemma", "roberta", "modernbert", "falcon", "stablelm",
  ]

  @Test(
    "Ids, ranges, decoded texts and the tokens around a text equal the reference's",
    arguments: names)
  func equal(_ name: String) throws {
    KindReference(name).compare(try TokenizerTests.tokenizer(name))
  }
}

@Suite("The tokenizer of all-MiniLM-L6-v2")
struct MiniLMTests {
  /// Where setup puts the model.
  static let folder = Fixtures.checkout.appending(path: ".deps/models/all-MiniLM-L6-v2")

  @Test("Ids, ranges, decoded texts and the tokens around a text equal the reference's")
  func equal() throws {
    let tokenizer = try Tokenizer(contentsOf: Self.folder)
    KindReference("minilm").compare(tokenizer)
    #expect(tokenizer.mask == 103 && tokenizer.padding == 0 && tokenizer.unknown == 100)
  }
}
