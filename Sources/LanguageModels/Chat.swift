public import Foundation
internal import Tokenization

extension LoadedModel {
  /// A person's message in the model's own chat template, up to where the model answers.
  ///
  /// - Parameters:
  ///   - message: what the person says.
  ///   - date: the moment that templates tell which ask for the day, in UTC.
  /// - Returns: the text, to be encoded with its special tokens.
  /// - Throws: `ModelError` when the model has no template; `TokenizationError` for one that cannot
  ///   be run.
  public func chat(_ message: String, date: Date = Date()) throws -> String {
    guard let source = chatTemplate else {
      throw ModelError(
        .usage, "\(name) has no chat template, so --chat cannot wrap the prompt; leave --chat out.")
    }
    func text(_ id: Int?) -> String { id.map(tokenizer.text(of:)) ?? "" }
    return try ChatTemplate(source).render(
      messages: [ChatMessage(role: "user", content: message)], addGenerationPrompt: true,
      bosToken: text(tokenizer.bos), eosToken: text(tokenizer.eos), date: date)
  }
}
