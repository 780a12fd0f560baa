import StrictJSON
import TestSupport
import Testing
import Tokenization

@Suite("Chat templates")
struct ChatTemplateTests {
  static let names = [
    "constructs", "falcon", "gemma", "gemma3", "llama2", "llama3", "llama3-dated", "llama31-tools",
    "macros", "mistral", "mistral-tools", "mixtral", "olmo2", "phi3", "phi35", "phi4-tools",
    "qwen2", "qwen2-tools", "qwen3", "smollm2", "smollm3", "stablelm2", "typed-tools", "zephyr",
  ]

  @Test(
    "Every template renders as Jinja renders it, and refuses where it refuses", arguments: names)
  func reference(_ name: String) throws {
    let source = Corpus.bytes("templates/" + name + ".jinja")
    let template = try ChatTemplate(String(decoding: source, as: UTF8.self))
    let outputs = Corpus.load("templates/outputs.json")[name]!
    for conversation in TemplateCase.all {
      let wanted = outputs[conversation.name]!
      do {
        let found = try conversation.render(template)
        let text = try #require(wanted["text"]?.string, "\(conversation.name) should fail")
        #expect(
          text.utf8.elementsEqual(found.utf8),
          "\(conversation.name): \(found.debugDescription), not \(text.debugDescription)")
      } catch let error as TokenizationError {
        #expect(wanted["text"] == nil, "\(conversation.name): \(error)")
        #expect(error.code == .templateFailure)
        // What a template says itself is passed on; Jinja's own words are not ours.
        if let refusal = wanted["refusal"]?.string {
          #expect(error.message.contains(refusal), "\(conversation.name)")
        }
      }
    }
  }
}
