import Foundation
import StrictJSON
import Tokenization

/// One conversation of `templates/cases.json`.
struct TemplateCase {
  let name: String
  let messages: [ChatMessage]
  let addGenerationPrompt: Bool
  let tools: [TemplateVariable]
  let variables: [String: TemplateVariable]
  /// 7 March 2025, 09:05, but for the case that is given none.
  let date: Date?

  static let all: [TemplateCase] = Corpus.load("templates/cases.json").members!.map {
    TemplateCase(name: $0.key, $0.value)
  }

  private init(name: String, _ json: JSON) {
    self.name = name
    messages = json["messages"]!.array!.map(ChatMessage.init)
    addGenerationPrompt = json["add_generation_prompt"]!.boolean!
    var variables = Dictionary(
      uniqueKeysWithValues: (json["variables"]?.members ?? []).map {
        ($0.key, TemplateVariable($0.value))
      })
    if case .list(let tools)? = variables.removeValue(forKey: "tools") {
      self.tools = tools
    } else {
      tools = []
    }
    self.variables = variables
    date = json["dated"]?.boolean == false ? nil : Date(timeIntervalSince1970: 1_741_338_300)
  }

  func render(_ template: ChatTemplate) throws(TokenizationError) -> String {
    try template.render(
      messages: messages, addGenerationPrompt: addGenerationPrompt, tools: tools, bosToken: "<s>",
      eosToken: "</s>", variables: variables, date: date)
  }
}

extension ChatMessage {
  init(_ json: JSON) {
    self.init(
      role: json["role"]!.string!, content: json["content"].map { TemplateVariable($0) },
      further: json.members!.filter { !["role", "content"].contains($0.key) }
        .map { ($0.key, TemplateVariable($0.value)) })
  }
}

extension TemplateVariable {
  init(_ json: JSON) {
    switch json {
    case .null: self = .none
    case .boolean(let value): self = .boolean(value)
    case .number(.integer(let value)): self = .integer(value)
    case .number(.real(let value)): self = .real(value)
    case .string(let value): self = .text(value)
    case .array(let values): self = .list(values.map(TemplateVariable.init))
    case .object(let object):
      self = .object(object.members.map { ($0.key, TemplateVariable($0.value)) })
    }
  }
}
