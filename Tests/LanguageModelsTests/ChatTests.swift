import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing
import Tokenization

@Suite("Chat")
struct ChatTests {
  private func loaded(_ template: String?) throws -> LoadedModel {
    let tokenizer = try Tokenizer(
      vocabulary: UnigramVocabulary(
        tokens: ["<unk>", "a"], scores: [0, -1], roles: TokenRoles(unknown: 0)),
      chatTemplate: template)
    return LoadedModel(
      model: try Reference("llama-tied", .float32).model, tokenizer: tokenizer, name: "tiny")
  }

  @Test("A message stands in the template up to where the model answers, with the day")
  func message() throws {
    let model = try loaded(
      "{{ strftime_now('%d %B %Y') }}|{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}"
        + "{% if add_generation_prompt %}|assistant:{% endif %}")
    let date = Date(timeIntervalSince1970: 951_782_400)
    #expect(
      try model.chat("Hello", date: date) == "29 February 2000|user: Hello|assistant:")
    // Without a date, that of today.
    #expect(try loaded("{{ strftime_now('%Y') }}").chat("x").count == 4)
  }

  @Test("A model without a template says so")
  func none() throws {
    let model = try loaded(nil)
    #expect {
      _ = try model.chat("x")
    } throws: {
      "\($0)" == "tiny has no chat template, so --chat cannot wrap the prompt; leave --chat out."
    }
  }
}
