internal import Telescope

/// How a person's text becomes the ids that run.
///
/// A decoder's text begins with the beginning-of-text token where the model's files say so. An encoder's
/// stands between the tokens that its files put around a text, and its special tokens may be written out:
/// `[MASK]` is the mask.
struct PromptReader {
  let loaded: LoadedModel
  /// Whether texts are wrapped in the model's chat template.
  let isChat: Bool
  /// Whether tokens around a text were asked for; nil for what the model's files say.
  let adding: Bool?

  /// - Throws: `CommandError` where a beginning is asked for and the model has none.
  init(_ loaded: LoadedModel, isChat: Bool, adding: Bool?) throws {
    if adding == true, loaded.tokenizer.bos == nil, loaded.tokenizer.beginning.isEmpty {
      throw CommandError(
        .usage, "--bos: \(loaded.name) has no beginning-of-text token; leave --bos out.")
    }
    self.loaded = loaded
    self.isChat = isChat
    self.adding = adding
  }

  /// The prompt that runs for a text; `name` is what notes call it.
  func prompt(
    _ text: String, _ name: String, _ notes: inout [String]
  ) throws -> Explainer.Prompt {
    guard isChat else { return .init(text: text, ids: surrounded(ids(of: text, name, &notes))) }
    let wrapped = try loaded.chat(text)
    return .init(text: wrapped, ids: ids(of: wrapped, name, &notes))
  }

  /// The prompt of given ids.
  func prompt(ids: [Int]) -> Explainer.Prompt {
    .init(text: loaded.tokenizer.decode(ids), ids: ids)
  }

  /// A text's tokens, with a note where the vocabulary cannot write all of it.
  func ids(of text: String, _ name: String, _ notes: inout [String]) -> [Int] {
    let tokens = loaded.tokenizer.encode(text, specialTokens: readsSpecialTokens)
    let omitted = tokens.omitted.reduce(0) { $0 + $1.count }
    if omitted > 0 {
      notes.append(
        "\(name) has \(omitted) bytes that the model's vocabulary cannot write; they are left out.")
    }
    return tokens.ids
  }

  /// Whether the spelling of a special token stands for the token.
  var readsSpecialTokens: Bool { isChat || !loaded.model.isCausal }

  /// Ids with the tokens that stand around a text.
  func surrounded(_ ids: [Int]) -> [Int] { beginning + ids + ending }

  /// What a text begins with.
  var beginning: [Int] {
    let tokenizer = loaded.tokenizer
    guard !isChat, adding ?? (loaded.model.isCausal ? tokenizer.addsBOS : true) else { return [] }
    return loaded.model.isCausal ? tokenizer.bos.map { [$0] } ?? [] : tokenizer.beginning
  }

  private var ending: [Int] {
    loaded.model.isCausal || adding == false ? [] : loaded.tokenizer.ending
  }
}
