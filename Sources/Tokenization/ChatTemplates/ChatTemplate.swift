public import Foundation

/// One message of a conversation.
public struct ChatMessage: Sendable, Equatable {
  /// Who speaks: `system`, `user`, `assistant`.
  public var role: String
  /// What is said.
  public var content: String

  /// A message.
  public init(role: String, content: String) {
    self.role = role
    self.content = content
  }
}

/// A value that a chat template is given under a name.
public enum TemplateVariable: Sendable {
  /// Nothing.
  case none
  /// True or false.
  case boolean(Bool)
  /// A whole number.
  case integer(Int)
  /// A real number.
  case real(Double)
  /// A text.
  case text(String)
  /// Values in order.
  case list([TemplateVariable])
  /// Values under names, in order; of two with one name the last holds.
  case object([(name: String, value: TemplateVariable)])
}

/// The form a model expects a conversation in: a Jinja template that came with the model.
///
/// Runs the subset of Jinja that published templates use, with the settings of Hugging Face
/// transformers, and nothing else: a template reads no file and calls nothing. Steps, depth and the
/// length of all texts are bounded, as a template is part of a file from anywhere.
///
/// ```swift
/// let template = try ChatTemplate(tokenizer.chatTemplate!)
/// let prompt = try template.render(messages: [ChatMessage(role: "user", content: "Hello")])
/// ```
public struct ChatTemplate: Sendable {
  private let statements: [TemplateStatement]

  /// The longest template, in bytes.
  public static let longestSource = 1 << 20

  /// Reads a template.
  ///
  /// - Parameter source: The template.
  /// - Throws: A fault of syntax, or a tag Telescope does not know, with its line.
  public init(_ source: String) throws(TokenizationError) {
    guard source.utf8.count <= Self.longestSource else {
      throw .template(
        .templateLimit, 1,
        "it has \(source.utf8.count) bytes and a template may have \(Self.longestSource)")
    }
    statements = try TemplateParser.parse(source)
  }

  /// The text of a conversation.
  ///
  /// - Parameters:
  ///   - messages: What was said, in order.
  ///   - addGenerationPrompt: Whether the text ends where the model begins to answer.
  ///   - bosToken: The spelling of the token that begins a text.
  ///   - eosToken: The spelling of the token that ends a text.
  ///   - variables: Further values by name; these win over all others.
  ///   - date: The moment `strftime_now` tells, in UTC; without one a template has no such function
  ///     and falls back on a date of its own, so that a prompt is the same every day.
  /// - Returns: The text, which may hold special tokens: encode it with them.
  /// - Throws: What the template refuses or does wrong, with its line, or the limit it reached.
  public func render(
    messages: [ChatMessage], addGenerationPrompt: Bool = true, bosToken: String = "",
    eosToken: String = "", variables: [String: TemplateVariable] = [:], date: Date? = nil
  ) throws(TokenizationError) -> String {
    var globals: [String: TemplateValue] = [
      "bos_token": .text(bosToken), "eos_token": .text(eosToken),
      "add_generation_prompt": .boolean(addGenerationPrompt), "tools": .none, "documents": .none,
      "range": .function("range"), "namespace": .function("namespace"),
      "dict": .function("dict"), "raise_exception": .function("raise_exception"),
    ]
    if date != nil { globals["strftime_now"] = .function("strftime_now") }
    let list = messages.map { message in
      TemplateValue.object(
        TemplateObject(
          members: [
            .init(key: .text("role"), value: .text(message.role)),
            .init(key: .text("content"), value: .text(message.content)),
          ], depth: 1))
    }
    globals["messages"] = .list(TemplateList(items: list, depth: 2))
    for (name, variable) in variables { globals[name] = try TemplateValue(variable) }
    var run = TemplateRun(globals: globals, date: date)
    return try run.text(of: statements)
  }
}

extension TemplateValue {
  fileprivate init(_ variable: TemplateVariable) throws(TokenizationError) {
    switch variable {
    case .none: self = .none
    case .boolean(let value): self = .boolean(value)
    case .integer(let value): self = .integer(value)
    case .real(let value): self = .real(value)
    case .text(let value): self = .text(value)
    case .list(let values):
      var items: [TemplateValue] = []
      for value in values { items.append(try TemplateValue(value)) }
      self = .list(try TemplateList(items, line: 1))
    case .object(let members):
      var object = TemplateObject(members: [], depth: 1)
      for member in members {
        try object.set(.text(member.name), try TemplateValue(member.value), line: 1)
      }
      self = .object(object)
    }
  }
}
