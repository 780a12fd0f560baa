import StrictJSON
import Tokenization

/// One conversation of `templates/cases.json`.
struct TemplateCase {
  let name: String
  let messages: [ChatMessage]
  let addGenerationPrompt: Bool
  let variables: [String: TemplateVariable]

  static let all: [TemplateCase] = Corpus.load("templates/cases.json").members!.map {
    TemplateCase(name: $0.key, $0.value)
  }

  private init(name: String, _ json: JSON) {
    self.name = name
    messages = json["messages"]!.array!.map {
      ChatMessage(role: $0["role"]!.string!, content: $0["content"]!.string!)
    }
    addGenerationPrompt = json["add_generation_prompt"]!.boolean!
    variables = Dictionary(
      uniqueKeysWithValues: (json["variables"]?.members ?? []).map {
        ($0.key, TemplateVariable($0.value))
      })
  }

  func render(_ template: ChatTemplate) throws(TokenizationError) -> String {
    try template.render(
      messages: messages, addGenerationPrompt: addGenerationPrompt, bosToken: "<s>",
      eosToken: "</s>", variables: variables)
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
