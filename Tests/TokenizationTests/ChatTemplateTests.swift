import StrictJSON
import TestSupport
import Testing
import Tokenization

@Suite("Chat templates")
struct ChatTemplateTests {
  static let names = [
    "constructs", "gemma", "llama3", "llama3-dated", "macros", "mistral", "phi3", "qwen2",
    "qwen2-tools", "smollm2", "zephyr",
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
          text.utf8.elementsEqual(found.utf8), "\(conversation.name): \(found.debugDescription)")
      } catch let error as TokenizationError {
        let reason = try #require(wanted["error"]?.string, "\(conversation.name): \(error)")
        #expect(error.code == .templateFailure)
        // What a template says itself is passed on; Jinja's own words are not ours.
        if !reason.contains("has no") && !reason.contains("undefined") {
          #expect(error.message.contains(reason), "\(conversation.name)")
        }
      }
    }
  }
}
