/// Unigram: a text divided into the tokens of the greatest sum of scores.
///
/// Source: Kudo 2018. The division is found from left to right (Viterbi): the best way to each place
/// is the best way to an earlier one and the token between.
struct UnigramModel: Sendable {
  let table: TokenTable
  private let trie: ByteTrie
  private let scores: [Double]
  /// The score of a character without a token: ten below the least of the vocabulary.
  private let unknownScore: Double
  private let unknown: UInt32?
  /// The tokens of all bytes, where characters without a token are written as bytes.
  private let fallback: [UInt32]?
  private let cuts: SpaceCuts?

  /// Builds the tree of the tokens.
  ///
  /// - Parameters:
  ///   - table: The tokens.
  ///   - scores: Their scores.
  ///   - isText: Whether a token is one that no text is divided into: special, or a byte.
  ///   - unknown: The token for a run of characters without one.
  ///   - usesByteFallback: Whether such characters are written as bytes.
  ///   - file: What messages call the source.
  /// - Throws: Another number of scores than of tokens, or a score that is no number.
  init(
    _ table: TokenTable, scores: [Double], isText: (Int) -> Bool, unknown: Int?,
    usesByteFallback: Bool, file: String
  ) throws(TokenizationError) {
    try checkScores(scores, count: table.count, file: file)
    self.table = table
    self.scores = scores
    unknownScore = (scores.min() ?? 0) - 10
    self.unknown = unknown.map { UInt32($0) }
    fallback = usesByteFallback ? table.byteTokens() : nil
    trie = try ByteTrie(table, isText: isText, file: file)
    cuts = SpaceCuts(table)
  }

  /// Divides pieces.
  struct Lattice: PieceTokenizer {
    private let model: UnigramModel
    /// For each place of a piece the best way to it.
    private var ways: [Way] = []

    /// The best way to a place: its score and its last token.
    private struct Way {
      var score = 0.0
      /// The bytes of the last token; 0 if there is no way.
      var length: Int32 = 0
      /// The last token, or −1 for a character without one.
      var id: Int32 = -1
    }

    init(_ model: UnigramModel) { self.model = model }

    var cuts: SpaceCuts? { model.cuts }

    mutating func append(
      _ bytes: UnsafeBufferPointer<UInt8>, _ piece: Range<Int>, into output: inout [TokenSpan],
      omitted: inout [Range<Int>]
    ) {
      findWays(bytes, piece)
      let first = (output: output.count, omitted: omitted.count)
      var end = piece.count
      while end > 0 {
        let way = ways[end]
        let start = end - Int(way.length)
        if way.id >= 0 {
          output.append(
            TokenSpan(
              id: UInt32(way.id), start: piece.lowerBound + start, end: piece.lowerBound + end))
          end = start
        } else {
          var start = start
          while start > 0, ways[start].id < 0 { start -= Int(ways[start].length) }
          appendUnknown(
            bytes, (piece.lowerBound + start)..<(piece.lowerBound + end), &output, &omitted)
          end = start
        }
      }
      output[first.output...].reverse()
      omitted[first.omitted...].reverse()
    }

    /// Appends, from the last on, what stands for characters without a token.
    private func appendUnknown(
      _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ output: inout [TokenSpan],
      _ omitted: inout [Range<Int>]
    ) {
      if let fallback = model.fallback,
        range.allSatisfy({ fallback[Int(bytes[$0])] != PairModel.absent })
      {
        for index in range.reversed() {
          output.append(
            TokenSpan(id: fallback[Int(bytes[index])], start: index, end: index + 1))
        }
      } else if let unknown = model.unknown {
        output.append(TokenSpan(id: unknown, start: range.lowerBound, end: range.upperBound))
      } else {
        omitted.append(range)
      }
    }

    private mutating func findWays(_ bytes: UnsafeBufferPointer<UInt8>, _ piece: Range<Int>) {
      let count = piece.count
      if ways.count <= count {
        ways = [Way](repeating: Way(), count: max(count + 1, 2 * ways.count))
      }
      let model = model
      ways.withUnsafeMutableBufferPointer { ways in
        for place in 0...count { ways[place] = Way() }
        var start = 0
        while start < count {
          let score = ways[start].score
          let width = Scalars.at(piece.lowerBound + start, bytes).length
          var isCovered = false
          var node = ByteTrie.root
          var end = start
          while end < count, let next = model.trie.child(node, bytes[piece.lowerBound + end]) {
            node = next
            end += 1
            let id = model.trie.value(node)
            guard id >= 0 else { continue }
            let candidate = model.scores[id] + score
            if ways[end].length == 0 || candidate > ways[end].score {
              ways[end] = Way(
                score: candidate, length: Int32(truncatingIfNeeded: end - start), id: Int32(id))
            }
            if end - start == width { isCovered = true }
          }
          if !isCovered {
            let candidate = model.unknownScore + score
            let end = start + width
            if ways[end].length == 0 || candidate > ways[end].score {
              ways[end] = Way(score: candidate, length: Int32(width), id: -1)
            }
          }
          start += width
        }
      }
    }
  }
}
