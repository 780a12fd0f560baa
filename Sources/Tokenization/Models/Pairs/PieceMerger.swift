/// Merges the bytes or characters of one piece into tokens: always the pair of lowest rank, the
/// leftmost first.
///
/// Holds the scratch space of one encoding. Short pieces look for the best pair among all, which for
/// a word is faster than any queue; long ones keep a heap, so that a megabyte of one letter takes
/// n log n.
struct PieceMerger: PieceTokenizer {
  private let model: PairModel
  private var symbols: [TokenSpan] = []
  private var merges: [MergeTable.Merge] = []
  private var heap = MergeHeap()

  /// The longest piece that is merged without a heap.
  private static let short = 48

  init(_ model: PairModel) {
    self.model = model
    symbols.reserveCapacity(Self.short)
    merges.reserveCapacity(Self.short)
  }

  var cuts: SpaceCuts? { model.cuts }

  @inline(__always)
  func token(for piece: UnsafeBufferPointer<UInt8>) -> UInt32? {
    model.wholePieces?.number(of: piece).map { UInt32(truncatingIfNeeded: $0) }
  }

  mutating func append(
    _ bytes: UnsafeBufferPointer<UInt8>, _ piece: Range<Int>, into output: inout [TokenSpan],
    omitted: inout [Range<Int>]
  ) {
    symbols.removeAll(keepingCapacity: true)
    switch (model.alphabet, model.isRanked) {
    case (.bytes(let tokens), _):
      for index in piece {
        let id = tokens[Int(bytes[index])]
        if id != PairModel.absent {
          symbols.append(TokenSpan(id: id, start: index, end: index + 1))
        } else {
          leaveOut(index..<(index + 1), &symbols, omitted: &omitted)
        }
      }
      merge(bytes, into: &output)
    case (.characters, false):
      appendCharacters(bytes, piece)
      resolve(bytes, &symbols, from: 0, omitted: &omitted)
      merge(bytes, into: &output)
    case (.characters, true):
      // What has no token by itself may still be part of one.
      appendCharacters(bytes, piece)
      let start = output.count
      merge(bytes, into: &output)
      resolve(bytes, &output, from: start, omitted: &omitted)
    }
  }

  private mutating func appendCharacters(
    _ bytes: UnsafeBufferPointer<UInt8>, _ piece: Range<Int>
  ) {
    var index = piece.lowerBound
    while index < piece.upperBound {
      let end = index + Scalars.at(index, bytes).length
      let character = UnsafeBufferPointer(rebasing: bytes[index..<end])
      let id = model.table.spellings.number(of: character).map { UInt32($0) } ?? PairModel.absent
      symbols.append(TokenSpan(id: id, start: index, end: end))
      index = end
    }
  }

  /// Puts the tokens of their bytes, or the unknown token, where characters have no token.
  private func resolve(
    _ bytes: UnsafeBufferPointer<UInt8>, _ spans: inout [TokenSpan], from start: Int,
    omitted: inout [Range<Int>]
  ) {
    guard spans[start...].contains(where: { $0.id == PairModel.absent }) else { return }
    // Only these are copied: the tokens of a whole text may stand before them.
    let own = Array(spans[start...])
    var resolved: [TokenSpan] = []
    resolved.reserveCapacity(own.count + 8)
    for span in own {
      guard span.id == PairModel.absent else {
        resolved.append(span)
        continue
      }
      if let fallback = model.fallback,
        (span.start..<span.end).allSatisfy({ fallback[Int(bytes[$0])] != PairModel.absent })
      {
        for index in span.start..<span.end {
          resolved.append(
            TokenSpan(id: fallback[Int(bytes[index])], start: index, end: index + 1))
        }
      } else {
        leaveOut(span.start..<span.end, &resolved, omitted: &omitted)
      }
    }
    spans.replaceSubrange(start..., with: resolved)
  }

  /// The unknown token for what has none, or nothing.
  private func leaveOut(
    _ range: Range<Int>, _ symbols: inout [TokenSpan], omitted: inout [Range<Int>]
  ) {
    if let unknown = model.unknown {
      if model.fusesUnknown, let last = symbols.last, last.id == unknown,
        last.end == range.lowerBound
      {
        symbols[symbols.count - 1].end = range.upperBound
      } else {
        symbols.append(TokenSpan(id: unknown, start: range.lowerBound, end: range.upperBound))
      }
    } else if let last = omitted.last, last.upperBound == range.lowerBound {
      omitted[omitted.count - 1] = last.lowerBound..<range.upperBound
    } else {
      omitted.append(range)
    }
  }

  // MARK: Merging

  /// What two neighbours merge into.
  @inline(__always)
  private func pair(
    _ bytes: UnsafeBufferPointer<UInt8>, _ left: TokenSpan, _ right: TokenSpan
  ) -> MergeTable.Merge {
    guard model.isRanked else { return model.merges.merge(left.id, right.id) }
    let joined = UnsafeBufferPointer(rebasing: bytes[left.start..<right.end])
    guard let id = model.table.spellings.number(of: joined), model.ranks[id] != PairModel.absent
    else { return MergeTable.none }
    return UInt64(model.ranks[id]) << 32 | UInt64(id)
  }

  private mutating func merge(
    _ bytes: UnsafeBufferPointer<UInt8>, into output: inout [TokenSpan]
  ) {
    if symbols.count > Self.short {
      mergeLong(bytes, into: &output)
    } else {
      mergeShort(bytes, into: &output)
    }
  }

  private mutating func mergeShort(
    _ bytes: UnsafeBufferPointer<UInt8>, into output: inout [TokenSpan]
  ) {
    var count = symbols.count
    guard count > 1 else {
      output.append(contentsOf: symbols)
      return
    }
    merges.removeAll(keepingCapacity: true)
    for index in 1..<count {
      merges.append(pair(bytes, symbols[index - 1], symbols[index]))
    }
    while count > 1 {
      // Rank is the upper half of a merge; of equal ranks the leftmost holds.
      var best = MergeTable.none
      var place = 0
      for index in 0..<(count - 1) where merges[index] >> 32 < best >> 32 {
        best = merges[index]
        place = index
      }
      if best == MergeTable.none { break }
      symbols[place].id = UInt32(truncatingIfNeeded: best)
      symbols[place].end = symbols[place + 1].end
      count -= 1
      for index in (place + 1)..<max(place + 1, count) { symbols[index] = symbols[index + 1] }
      for index in place..<max(place, count - 1) { merges[index] = merges[index + 1] }
      if place > 0 {
        merges[place - 1] = pair(bytes, symbols[place - 1], symbols[place])
      }
      if place < count - 1 {
        merges[place] = pair(bytes, symbols[place], symbols[place + 1])
      }
    }
    output.append(contentsOf: symbols[..<count])
  }

  private mutating func mergeLong(
    _ bytes: UnsafeBufferPointer<UInt8>, into output: inout [TokenSpan]
  ) {
    let count = symbols.count
    // The neighbours still there; a merged symbol leaves its left one standing for both.
    var next = (1...count).map { Int32(truncatingIfNeeded: $0) }
    var previous = (-1..<(count - 1)).map { Int32(truncatingIfNeeded: $0) }
    // The merge of each symbol with its right neighbour, to know which entries of the heap are stale.
    var current = [MergeTable.Merge](repeating: MergeTable.none, count: count)
    heap.removeAll()
    for index in 0..<(count - 1) {
      current[index] = pair(bytes, symbols[index], symbols[index + 1])
      if current[index] != MergeTable.none { heap.append(current[index], place: index) }
    }
    heap.order()
    while let (rank, place) = heap.popFirst() {
      let merge = current[place]
      guard merge != MergeTable.none, merge >> 32 == rank else { continue }
      let right = Int(next[place])
      symbols[place].id = UInt32(truncatingIfNeeded: merge)
      symbols[place].end = symbols[right].end
      current[right] = MergeTable.none
      let after = Int(next[right])
      next[place] = Int32(truncatingIfNeeded: after)
      current[place] = MergeTable.none
      if after < count {
        previous[after] = Int32(truncatingIfNeeded: place)
        current[place] = pair(bytes, symbols[place], symbols[after])
        if current[place] != MergeTable.none { heap.push(current[place], place: place) }
      }
      let before = Int(previous[place])
      if before >= 0 {
        current[before] = pair(bytes, symbols[before], symbols[place])
        if current[before] != MergeTable.none { heap.push(current[before], place: before) }
      }
    }
    var index = 0
    while index < count {
      output.append(symbols[index])
      index = Int(next[index])
    }
  }
}
