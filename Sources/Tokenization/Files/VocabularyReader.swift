import StrictJSON

/// The tokens of a `tokenizer.json` by id, as an object or, for Unigram, a list with scores.
struct VocabularyReader {
  private(set) var tokens: [String] = []
  /// The scores of a list; empty for an object.
  private(set) var scores: [Double] = []

  /// The number of ids.
  var count: Int { tokens.count }

  init(_ file: TokenizerFile, _ model: JSON) throws(TokenizationError) {
    if let entries = model["vocab"]?.array {
      tokens.reserveCapacity(entries.count)
      scores.reserveCapacity(entries.count)
      for (id, entry) in entries.enumerated() {
        guard let pair = entry.array, pair.count == 2, let token = pair[0].string,
          let score = pair[1].double
        else { throw file.malformed("entry \(id) of 'model.vocab' is not a token and its score") }
        tokens.append(token)
        scores.append(score)
      }
      return
    }
    guard let members = model["vocab"]?.members else {
      throw file.malformed("'model.vocab' is missing or not an object")
    }
    // Ids are an index: one far beyond the number of tokens is a lie that would cost memory.
    let limit = TokenizerFile.limit(members.count)
    tokens.reserveCapacity(members.count)
    var taken = [Bool](repeating: false, count: members.count)
    for member in members {
      guard let id = member.value.integer, id >= 0, id < limit else {
        throw file.malformed(
          "the id of the token '\(printable(member.key))' is not a whole number below \(limit)")
      }
      while tokens.count <= id { tokens.append("") }
      while taken.count <= id { taken.append(false) }
      guard !taken[id] else {
        throw file.malformed(
          "the tokens '\(printable(tokens[id]))' and '\(printable(member.key))' have the same id "
            + "\(id)")
      }
      taken[id] = true
      tokens[id] = member.key
    }
  }
}
