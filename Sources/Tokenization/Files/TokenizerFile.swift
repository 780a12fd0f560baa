import StrictJSON

/// `tokenizer.json`: vocabulary, merges and the steps around them.
struct TokenizerFile {
  let file: String
  let root: JSON

  func parts() throws(TokenizationError) -> TokenizerParts {
    guard root.object != nil else {
      throw malformed("the text is \(root.kind), not an object")
    }
    guard let model = root["model"], model.object != nil else {
      throw malformed("'model' is missing")
    }
    let steps = try preTokenizer(root["pre_tokenizer"])
    let tokens = try VocabularyReader(self, model)
    let added = try addedTokens(limit: Self.limit(tokens.count))
    let decoding = try decoder(root["decoder"])
    let reading = ModelReader(
      reader: self, value: model, vocabulary: tokens, added: added,
      isByteLevel: steps.seesBytes, decoding: decoding)
    var parts = try reading.parts()
    parts.splitting = steps.steps
    parts.normalizing = try normalizer(root["normalizer"])
    let template = try template(root["post_processor"])
    let isAdded = Set(added.map(\.id))
    for id in template.beginning + template.ending where id >= tokens.count {
      guard isAdded.contains(id) else {
        throw malformed("the 'post_processor' has the token \(id), which there is not")
      }
    }
    parts.roles.beginning = template.beginning
    parts.roles.ending = template.ending
    parts.roles.bos = template.beginning.first
    return parts
  }

  /// The id of a token by its spelling in the files.
  func id(of text: String, _ parts: TokenizerParts) -> Int? {
    let bytes = Array(text.utf8)
    if let added = parts.added.last(where: { $0.text.utf8.elementsEqual(bytes) }) {
      return added.id
    }
    return parts.model.table.id(of: bytes)
  }

  /// What every id must be below, given the number of tokens.
  static func limit(_ count: Int) -> Int { 2 * count + 65_536 }

  private func addedTokens(limit: Int) throws(TokenizationError) -> [AddedTokens.Token] {
    guard let value = root["added_tokens"], !value.isNull else { return [] }
    guard let entries = value.array else { throw malformed("'added_tokens' is \(value.kind)") }
    var tokens: [AddedTokens.Token] = []
    for (index, entry) in entries.enumerated() {
      guard let id = entry["id"]?.integer, id >= 0, id < limit,
        let text = entry["content"]?.string
      else {
        throw malformed("added token \(index) has no 'content' or no 'id' below \(limit)")
      }
      tokens.append(
        AddedTokens.Token(
          id: id, text: text, isSpecial: try flag(entry, "special") ?? false,
          isWord: try flag(entry, "single_word") ?? false,
          takesSpaceBefore: try flag(entry, "lstrip") ?? false,
          takesSpaceAfter: try flag(entry, "rstrip") ?? false,
          isNormalized: try flag(entry, "normalized") ?? false))
    }
    return tokens
  }

  // MARK: Reading

  func kind(_ value: JSON, _ part: String) throws(TokenizationError) -> String {
    guard let kind = value["type"]?.string else { throw malformed("a '\(part)' has no 'type'") }
    return kind
  }

  /// The parts of a sequence.
  func entries(
    _ value: JSON, _ key: String, _ part: String
  ) throws(TokenizationError) -> [JSON] {
    guard let entries = value[key]?.array else {
      throw malformed("a '\(part)' of the type Sequence has no list '\(key)'")
    }
    return entries
  }

  func flag(_ value: JSON, _ key: String) throws(TokenizationError) -> Bool? {
    guard let found = value[key], !found.isNull else { return nil }
    guard let flag = found.boolean else {
      throw malformed("'\(key)' is \(found.kind), not true or false")
    }
    return flag
  }

  func text(_ value: JSON, _ key: String, _ part: String) throws(TokenizationError) -> String {
    guard let text = value[key]?.string else {
      throw malformed("a '\(part)' has no text '\(key)'")
    }
    return text
  }

  func malformed(_ what: String) -> TokenizationError {
    TokenizationError(.malformed, "\(file): \(what); the file is damaged or not a tokenizer.")
  }

  func unsupported(_ part: String, _ kind: String, known: String) -> TokenizationError {
    TokenizationError(
      .unsupported,
      "\(file): the \(part) '\(printable(kind))' is not one Telescope knows; it reads \(known).")
  }

  /// What a `Replace` or `Split` looks for, where it is no pattern that fills the text.
  func pattern(_ value: JSON, _ part: String) throws(TokenizationError) -> TextPattern {
    if let text = value["pattern"]?["String"]?.string {
      guard !text.isEmpty else { throw malformed("a '\(part)' looks for an empty text") }
      return TextPattern(text: text)
    }
    guard let regex = value["pattern"]?["Regex"]?.string else {
      throw malformed("a '\(part)' has no 'pattern'")
    }
    guard let pattern = TextPattern(regex: regex) else {
      throw TokenizationError(
        .unsupported,
        "\(file): the \(part)'s pattern '\(printable(regex, 300))' is not one Telescope knows; it "
          + "knows texts, sets of characters with repeats, and those that GPT-2, Llama 3 and Qwen 2 "
          + "split by.")
    }
    return pattern
  }
}
