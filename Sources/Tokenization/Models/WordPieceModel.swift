/// WordPiece: a word divided from its start, each time by the longest token that fits.
///
/// Source: Schuster and Nakajima 2012; Devlin and others 2019.
struct WordPieceModel: Sendable {
  let table: TokenTable
  private let trie: ByteTrie
  /// The node of the tree behind the prefix of tokens that continue a word.
  private let continuation: UInt32?
  private let longestWord: Int
  private let unknown: UInt32

  /// Builds the tree of the tokens.
  ///
  /// - Parameters:
  ///   - table: The tokens.
  ///   - isText: Whether a token is an added one, which no word is divided into.
  ///   - prefix: What a token that continues a word begins with.
  ///   - longestWord: The length in characters beyond which a word is unknown.
  ///   - unknown: The token of a word that cannot be divided.
  ///   - file: What messages call the source.
  /// - Throws: More tokens than any tokenizer has.
  init(
    _ table: TokenTable, isText: (Int) -> Bool, prefix: String, longestWord: Int, unknown: Int,
    file: String
  ) throws(TokenizationError) {
    self.table = table
    trie = try ByteTrie(table, isText: isText, file: file)
    continuation = trie.node(after: prefix.utf8)
    self.longestWord = longestWord
    self.unknown = UInt32(unknown)
  }

  /// Divides words.
  struct Matcher: PieceTokenizer {
    let model: WordPieceModel
    var cuts: SpaceCuts? { nil }

    mutating func append(
      _ bytes: UnsafeBufferPointer<UInt8>, _ piece: Range<Int>, into output: inout [TokenSpan],
      omitted: inout [Range<Int>]
    ) {
      let before = output.count
      var index = piece.lowerBound
      if !isTooLong(bytes, piece) {
        var node: UInt32? = ByteTrie.root
        while index < piece.upperBound, let start = node,
          let (id, end) = model.trie.longest(bytes, index..<piece.upperBound, from: start)
        {
          output.append(TokenSpan(id: UInt32(id), start: index, end: end))
          index = end
          node = model.continuation
        }
      }
      if index < piece.upperBound {
        output.removeSubrange(before...)
        output.append(
          TokenSpan(id: model.unknown, start: piece.lowerBound, end: piece.upperBound))
      }
    }

    private func isTooLong(_ bytes: UnsafeBufferPointer<UInt8>, _ piece: Range<Int>) -> Bool {
      guard piece.count > model.longestWord else { return false }
      var count = 0
      for index in piece where bytes[index] & 0xC0 != 0x80 { count += 1 }
      return count > model.longestWord
    }
  }
}

extension ByteTrie {
  /// The tree of a vocabulary, without tokens that no text is divided into.
  init(
    _ table: TokenTable, isText: (Int) -> Bool, file: String
  ) throws(TokenizationError) {
    self.init(capacity: table.spellings.count)
    for id in 0..<table.spellings.count where !isText(id) {
      let token = table.spellings[id]
      guard !token.isEmpty, !insert(token, value: id) else { continue }
      throw TokenizationError(
        .malformed, "\(file): the vocabulary is larger than any tokenizer's; the file is damaged.")
    }
  }
}
