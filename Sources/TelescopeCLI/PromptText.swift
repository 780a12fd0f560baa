/// The one text that a command is given.
enum PromptText {
  /// The text in the words that are no options, or read from standard input; nil where ids stand for it.
  ///
  /// - Parameters:
  ///   - words: the words.
  ///   - noun: what messages call the text: `prompt`, `text`.
  ///   - hasIDs: whether `--ids` gives it.
  /// - Returns: the text; nil where ids stand for it.
  /// - Throws: `CommandError` for no text, several, an empty one, and one that is not UTF-8.
  static func read(_ words: [String], _ noun: String, hasIDs: Bool) throws -> String? {
    if hasIDs {
      guard words.isEmpty else {
        throw CommandError(.usage, "--ids gives the \(noun); leave out '\(words[0])'.")
      }
      return nil
    }
    guard let word = words.first else {
      throw CommandError(
        .usage, "There is no \(noun); give one in quotes, or - to read it from standard input.")
    }
    guard words.count == 1 else {
      throw CommandError(
        .usage,
        "There are \(words.count) \(noun)s; put the text in quotes: "
          + "\"\(words.joined(separator: " "))\".")
    }
    var text = word
    if word == "-" {
      text = try decoded(Terminal.read(), "Standard input")
      if text.hasSuffix("\r\n") || text.hasSuffix("\n") { text.removeLast() }
    }
    guard !text.isEmpty else {
      throw CommandError(.usage, "The \(noun) is empty; give at least one token of text.")
    }
    return text
  }

  /// Bytes as text.
  static func decoded(_ bytes: some Sequence<UInt8>, _ source: String) throws -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw CommandError(.badData, "\(source) is not UTF-8 text; convert it first.")
    }
    return text
  }
}
