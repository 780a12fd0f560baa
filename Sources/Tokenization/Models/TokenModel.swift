/// How pieces of a text become tokens.
enum TokenModel: Sendable {
  case pairs(PairModel)
  case wordPieces(WordPieceModel)
  case unigram(UnigramModel)

  /// The tokens.
  var table: TokenTable {
    switch self {
    case .pairs(let model): model.table
    case .wordPieces(let model): model.table
    case .unigram(let model): model.table
    }
  }
}

/// A token over bytes of the working text.
struct TokenSpan {
  var id: UInt32
  var start: Int
  var end: Int
}

/// What divides pieces into tokens; holds the scratch space of one encoding.
protocol PieceTokenizer {
  /// The token that a piece is taken for as it stands, whatever its parts would give.
  func token(for piece: UnsafeBufferPointer<UInt8>) -> UInt32?

  /// Appends the tokens of `bytes[piece]`, with their places in `bytes`, and what has no token.
  mutating func append(
    _ bytes: UnsafeBufferPointer<UInt8>, _ piece: Range<Int>, into output: inout [TokenSpan],
    omitted: inout [Range<Int>]
  )

  /// Where a piece may be cut without a change of its tokens; `nil` if nowhere.
  var cuts: SpaceCuts? { get }
}

extension PieceTokenizer {
  func token(for piece: UnsafeBufferPointer<UInt8>) -> UInt32? { nil }

  /// Appends the tokens of pieces, those of a word seen before from where it was.
  mutating func append(
    _ bytes: UnsafeBufferPointer<UInt8>, _ pieces: [Range<Int>], into output: inout [TokenSpan],
    omitted: inout [Range<Int>]
  ) {
    let length = (pieces.last?.upperBound ?? 0) - (pieces.first?.lowerBound ?? 0)
    var cache = PieceCache(textLength: length)
    let cuts = cuts
    for piece in pieces {
      if let id = token(for: UnsafeBufferPointer(rebasing: bytes[piece])) {
        output.append(TokenSpan(id: id, start: piece.lowerBound, end: piece.upperBound))
        continue
      }
      var start = piece.lowerBound
      while start < piece.upperBound {
        let end = cuts?.end(bytes, start, piece.upperBound) ?? piece.upperBound
        append(bytes, start..<end, into: &output, omitted: &omitted, &cache)
        start = end
      }
    }
  }

  @inline(__always)
  private mutating func append(
    _ bytes: UnsafeBufferPointer<UInt8>, _ piece: Range<Int>, into output: inout [TokenSpan],
    omitted: inout [Range<Int>], _ cache: inout PieceCache?
  ) {
    let slot = cache?.slot(bytes, piece) ?? 0
    if cache?.append(bytes, piece, slot: slot, to: &output) == true { return }
    let before = (output.count, omitted.count)
    append(bytes, piece, into: &output, omitted: &omitted)
    if omitted.count == before.1 {
      cache?.remember(piece, slot: slot, output: before.0..<output.count)
    }
  }
}

/// Where a text that is not split into words can still be cut: before a `▁` that no token holds
/// behind the byte that stands there.
///
/// In published vocabularies `▁` only begins tokens. No token then reaches over the border, so what is
/// on one side has no say in the tokens on the other, and a book is done word by word.
struct SpaceCuts: Sendable {
  /// Which bytes stand directly before a `▁` within a token.
  private var joined = [Bool](repeating: false, count: 256)

  /// The cuts for a vocabulary; `nil` if `▁` itself is no token, as unknown tokens may fuse over it.
  init?(_ table: TokenTable) {
    guard table.id(of: SentencePiece.space) != nil else { return nil }
    // Runs of spaces are a matter of their own.
    joined[Int(SentencePiece.space[2])] = true
    for id in 0..<table.spellings.count {
      let token = table.spellings[id]
      guard token.count > 3 else { continue }
      for index in token.indices.dropFirst().dropLast(2)
      where token[index] == 0xE2 && token[index + 1] == 0x96 && token[index + 2] == 0x81 {
        joined[Int(token[index - 1])] = true
      }
    }
  }

  /// Where what begins at an index ends.
  func end(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ limit: Int) -> Int {
    var index = start + 1
    while index + 2 < limit {
      if bytes[index] == 0xE2, bytes[index + 1] == 0x96, bytes[index + 2] == 0x81,
        !joined[Int(bytes[index - 1])]
      {
        return index
      }
      index += 1
    }
    return limit
  }
}
