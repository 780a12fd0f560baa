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
