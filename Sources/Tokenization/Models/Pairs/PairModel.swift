/// The vocabulary of a model that merges pairs, ready to look up.
struct PairModel: Sendable {
  /// What is merged at first.
  enum Alphabet: Sendable {
    /// Bytes, each with its token or ``PairModel/absent``.
    case bytes([UInt32])
    /// Characters.
    case characters
  }

  let table: TokenTable
  let alphabet: Alphabet
  /// The merges, of which the one of the lowest rank is done first; none where there are `ranks`.
  let merges: MergeTable
  /// Where there are scores: the rank of each token, by which a pair is merged whose joined text it is;
  /// ``absent`` for tokens that no pair makes.
  let ranks: [UInt32]
  /// Whether pairs are merged by the rank of what they make.
  let isRanked: Bool
  /// The token for what has none; where there is none it is left out.
  var unknown: UInt32?
  /// Whether neighbours without a token share one unknown token.
  var fusesUnknown = false
  /// The tokens of all bytes, where characters without a token are written as bytes.
  var fallback: [UInt32]?
  /// Tokens by what they are in a text, where a piece that is a token is taken whole, whatever the
  /// merges say (Llama 3).
  let wholePieces: ByteStrings?
  /// Where pieces may be cut.
  let cuts: SpaceCuts?

  static let absent = UInt32.max

  /// Byte-level BPE: looks up both halves and the result of every merge.
  ///
  /// - Parameters:
  ///   - table: The tokens, spelled in the byte-level alphabet.
  ///   - isText: Whether the token of an id is plain text and not spelled in the alphabet.
  ///   - merges: The merges by rank.
  ///   - ignoresMerges: Whether a piece that is a token is taken whole.
  ///   - file: What messages call the source.
  /// - Throws: A merge that the vocabulary has no tokens for.
  init(
    bytes table: TokenTable, isText: (Int) -> Bool, merges: MergeList, ignoresMerges: Bool,
    file: String
  ) throws(TokenizationError) {
    self.table = table
    alphabet = .bytes(
      (UInt8.min...UInt8.max).map { byte in
        table.id(of: ByteAlphabet.spell([byte])).map { UInt32($0) } ?? Self.absent
      })
    self.merges = try merges.table(table.spellings, file: file)
    ranks = []
    isRanked = false
    wholePieces =
      ignoresMerges
      ? Self.wholePieces(table, isText: { isText($0) || !ByteAlphabet.spells($1) }) : nil
    cuts = nil
  }

  /// BPE over characters with a list of merges.
  ///
  /// - Parameters:
  ///   - table: The tokens.
  ///   - merges: The merges by rank.
  ///   - ignoresMerges: Whether a piece that is a token is taken whole.
  ///   - file: What messages call the source.
  /// - Throws: A merge that the vocabulary has no tokens for.
  init(
    characters table: TokenTable, merges: MergeList, ignoresMerges: Bool, file: String
  ) throws(TokenizationError) {
    self.table = table
    alphabet = .characters
    self.merges = try merges.table(table.spellings, file: file)
    ranks = []
    isRanked = false
    wholePieces = ignoresMerges ? table.spellings : nil
    cuts = SpaceCuts(table)
  }

  /// BPE over characters with scores: the highest score is the lowest rank, equal ones are equal.
  ///
  /// - Parameters:
  ///   - table: The tokens.
  ///   - scores: Their scores.
  ///   - isMade: Whether a token is one that merging makes.
  ///   - file: What messages call the source.
  /// - Throws: Another number of scores than of tokens, or a score that is no number.
  init(
    characters table: TokenTable, scores: [Double], isMade: (Int) -> Bool, file: String
  ) throws(TokenizationError) {
    try checkScores(scores, count: table.count, file: file)
    self.table = table
    alphabet = .characters
    var ranks = [UInt32](repeating: Self.absent, count: table.count)
    let made = scores.indices.filter(isMade).sorted { scores[$0] > scores[$1] }
    var rank: UInt32 = 0
    for (place, id) in made.enumerated() {
      if place > 0, scores[made[place - 1]] != scores[id] { rank += 1 }
      ranks[id] = rank
    }
    self.ranks = ranks
    merges = MergeTable(capacity: 0)
    isRanked = true
    wholePieces = nil
    cuts = SpaceCuts(table)
  }

  private static func wholePieces(
    _ table: TokenTable, isText: (Int, ArraySlice<UInt8>) -> Bool
  ) -> ByteStrings {
    var pieces = ByteStrings(capacity: table.count)
    for id in 0..<table.count {
      // A text never equals the empty string, which stands for tokens no piece can be.
      let piece = isText(id, table.spellings[id]) ? [] : table.decoded[id]
      piece.withUnsafeBufferPointer { pieces.append($0) }
    }
    return pieces
  }
}

/// Refuses scores that are not one number for each token.
func checkScores(_ scores: [Double], count: Int, file: String) throws(TokenizationError) {
  guard scores.count == count else {
    throw TokenizationError(
      .malformed,
      "\(file): there are \(count) tokens but \(scores.count) scores; the file is damaged.")
  }
  if let place = scores.firstIndex(where: { !$0.isFinite }) {
    throw TokenizationError(
      .malformed, "\(file): the score of token \(place) is no number; the file is damaged.")
  }
}
