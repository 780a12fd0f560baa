/// Merges the bytes of one piece into tokens: always the pair of lowest rank, the leftmost first.
///
/// Holds the scratch space of one encoding. Short pieces look for the best pair among all, which for
/// a word is faster than any queue; long ones keep a heap, so that a megabyte of one letter takes
/// n log n.
struct PieceMerger {
  private let model: BytePairModel
  private var symbols: [Symbol] = []
  private var merges: [MergeTable.Merge] = []
  private var heap = MergeHeap()

  /// The longest piece that is merged without a heap.
  private static let short = 48

  /// A token over bytes of the working text.
  struct Symbol {
    var id: UInt32
    var start: Int
    var end: Int
  }

  init(_ model: BytePairModel) {
    self.model = model
    symbols.reserveCapacity(Self.short)
    merges.reserveCapacity(Self.short)
  }

  /// Appends the tokens of `bytes[piece]`, with their places in `bytes`, and what has no token.
  mutating func merge(
    _ bytes: UnsafeBufferPointer<UInt8>, _ piece: Range<Int>, into output: inout [Symbol],
    omitted: inout [Range<Int>]
  ) {
    if let whole = model.wholePieces?.number(of: UnsafeBufferPointer(rebasing: bytes[piece])) {
      let id = UInt32(truncatingIfNeeded: whole)
      output.append(Symbol(id: id, start: piece.lowerBound, end: piece.upperBound))
      return
    }
    symbols.removeAll(keepingCapacity: true)
    for index in piece {
      let id = model.byteTokens[Int(bytes[index])]
      if id != BytePairModel.absent {
        symbols.append(Symbol(id: id, start: index, end: index + 1))
      } else {
        leaveOut(index, omitted: &omitted)
      }
    }
    if symbols.count > Self.short {
      mergeLong(into: &output)
    } else {
      mergeShort(into: &output)
    }
  }

  /// The unknown token for a byte without one, or nothing.
  private mutating func leaveOut(_ index: Int, omitted: inout [Range<Int>]) {
    if let unknown = model.unknown {
      if model.fusesUnknown, let last = symbols.last, last.id == unknown, last.end == index {
        symbols[symbols.count - 1].end = index + 1
      } else {
        symbols.append(Symbol(id: unknown, start: index, end: index + 1))
      }
    } else if let last = omitted.last, last.upperBound == index {
      omitted[omitted.count - 1] = last.lowerBound..<(index + 1)
    } else {
      omitted.append(index..<(index + 1))
    }
  }

  private mutating func mergeShort(into output: inout [Symbol]) {
    var count = symbols.count
    guard count > 1 else {
      output.append(contentsOf: symbols)
      return
    }
    merges.removeAll(keepingCapacity: true)
    for index in 1..<count {
      merges.append(model.merges.merge(symbols[index - 1].id, symbols[index].id))
    }
    while count > 1 {
      // Rank is the upper half of a merge, so the smallest merge is the earliest.
      var best = MergeTable.none
      var place = 0
      for index in 0..<(count - 1) where merges[index] < best {
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
        merges[place - 1] = model.merges.merge(symbols[place - 1].id, symbols[place].id)
      }
      if place < count - 1 {
        merges[place] = model.merges.merge(symbols[place].id, symbols[place + 1].id)
      }
    }
    output.append(contentsOf: symbols[..<count])
  }

  private mutating func mergeLong(into output: inout [Symbol]) {
    let count = symbols.count
    // The neighbours still there; a merged symbol leaves its left one standing for both.
    var next = (1...count).map { Int32(truncatingIfNeeded: $0) }
    var previous = (-1..<(count - 1)).map { Int32(truncatingIfNeeded: $0) }
    // The merge of each symbol with its right neighbour, to know which entries of the heap are stale.
    var current = [MergeTable.Merge](repeating: MergeTable.none, count: count)
    heap.removeAll()
    for index in 0..<(count - 1) {
      current[index] = model.merges.merge(symbols[index].id, symbols[index + 1].id)
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
        current[place] = model.merges.merge(symbols[place].id, symbols[after].id)
        if current[place] != MergeTable.none { heap.push(current[place], place: place) }
      }
      let before = Int(previous[place])
      if before >= 0 {
        current[before] = model.merges.merge(symbols[before].id, symbols[place].id)
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

/// A heap of merges, the lowest rank first, among equals the leftmost; four children to a node, as
/// that touches the fewest cache lines.
struct MergeHeap {
  /// Rank in the upper half, place in the lower.
  private var entries: [UInt64] = []

  mutating func removeAll() { entries.removeAll(keepingCapacity: true) }

  /// Adds an entry without keeping the order.
  mutating func append(_ merge: MergeTable.Merge, place: Int) {
    entries.append(merge & 0xFFFF_FFFF_0000_0000 | UInt64(place))
  }

  /// Restores the order after ``append(_:place:)``.
  mutating func order() {
    for index in stride(from: entries.count / 4, through: 0, by: -1) { sink(index) }
  }

  /// Adds an entry.
  mutating func push(_ merge: MergeTable.Merge, place: Int) {
    append(merge, place: place)
    entries.withUnsafeMutableBufferPointer { entries in
      var index = entries.count - 1
      let entry = entries[index]
      while index > 0, entries[(index - 1) / 4] > entry {
        entries[index] = entries[(index - 1) / 4]
        index = (index - 1) / 4
      }
      entries[index] = entry
    }
  }

  /// Takes out the first entry.
  mutating func popFirst() -> (rank: UInt64, place: Int)? {
    guard let first = entries.first else { return nil }
    let last = entries.removeLast()
    if !entries.isEmpty {
      entries[0] = last
      sink(0)
    }
    return (first >> 32, Int(first & 0xFFFF_FFFF))
  }

  private mutating func sink(_ start: Int) {
    entries.withUnsafeMutableBufferPointer { entries in
      guard start < entries.count else { return }
      var index = start
      let entry = entries[index]
      while true {
        let firstChild = 4 * index + 1
        guard firstChild < entries.count else { break }
        var child = firstChild
        for other in (firstChild + 1)..<max(firstChild + 1, min(firstChild + 4, entries.count))
        where entries[other] < entries[child] {
          child = other
        }
        guard entries[child] < entry else { break }
        entries[index] = entries[child]
        index = child
      }
      entries[index] = entry
    }
  }
}
