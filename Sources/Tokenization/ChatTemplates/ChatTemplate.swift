public import Foundation

/// One message of a conversation.
public struct ChatMessage: Sendable {
  /// Who speaks: `system`, `user`, `assistant`, `tool`.
  public var role: String
  /// What is said: a text, a list of parts as `{"type": "text", "text": …}`, or nothing.
  public var content: TemplateVariable?
  /// What else the message carries, by name: `tool_calls`, `reasoning_content`, `tool_call_id`, ….
  public var further: [(name: String, value: TemplateVariable)]

  /// A message that is a text.
  public init(role: String, content: String) {
    self.init(role: role, content: .text(content), further: [])
  }

  /// A message of any content, with what else it carries.
  public init(
    role: String, content: TemplateVariable?, further: [(name: String, value: TemplateVariable)]
  ) {
    self.role = role
    self.content = content
    self.further = further
  }

  /// The members that a template sees.
  fileprivate var members: [(name: String, value: TemplateVariable)] {
    [("role", .text(role))] + (content.map { [("content", $0)] } ?? []) + further
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
  ///   - tools: The tools that the model may call, each a JSON schema as a value.
  ///   - bosToken: The spelling of the token that begins a text.
  ///   - eosToken: The spelling of the token that ends a text.
  ///   - variables: Further values by name; these win over all others.
  ///   - date: The moment `strftime_now` tells, in UTC; without one a template has no such function
  ///     and falls back on a date of its own or is refused, so that a prompt is the same every day.
  /// - Returns: The text, which may hold special tokens: encode it with them.
  /// - Throws: What the template refuses or does wrong, with its line, or the limit it reached.
  public func render(
    messages: [ChatMessage], addGenerationPrompt: Bool = true, tools: [TemplateVariable] = [],
    bosToken: String = "", eosToken: String = "", variables: [String: TemplateVariable] = [:],
    date: Date? = nil
  ) throws(TokenizationError) -> String {
    var globals: [String: TemplateValue] = [
      "bos_token": .text(bosToken), "eos_token": .text(eosToken),
      "add_generation_prompt": .boolean(addGenerationPrompt), "documents": .none,
      "tools": try tools.isEmpty ? .none : TemplateValue(.list(tools)),
      "range": .function("range"), "namespace": .function("namespace"),
      "dict": .function("dict"), "raise_exception": .function("raise_exception"),
    ]
    if date != nil { globals["strftime_now"] = .function("strftime_now") }
    globals["messages"] = try TemplateValue(.list(messages.map { .object($0.members) }))
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
