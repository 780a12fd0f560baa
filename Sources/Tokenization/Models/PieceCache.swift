/// Where in the text being encoded a piece last stood, so that a word is merged once.
///
/// An entry points back into the text and the output: the cache holds no bytes of its own, has a
/// fixed size, and is direct mapped.
struct PieceCache {
  private struct Entry {
    var start: Int32 = -1
    var length: Int32 = 0
    var output: Int32 = 0
    var count: Int32 = 0
  }

  private var entries: [Entry]
  private let mask: Int

  /// A cache for a text of so many bytes; short texts do without.
  init?(textLength: Int) {
    guard textLength >= 1 << 11, textLength < Int(Int32.max) else { return nil }
    var size = 1 << 9
    while size < 1 << 14, size * 16 < textLength { size *= 2 }
    entries = [Entry](repeating: Entry(), count: size)
    mask = size - 1
  }

  /// Appends what the same piece gave before, moved to where it stands now.
  mutating func append(
    _ bytes: UnsafeBufferPointer<UInt8>, _ piece: Range<Int>, slot: Int,
    to output: inout [TokenSpan]
  ) -> Bool {
    let entry = entries[slot]
    let start = Int(entry.start)
    guard start >= 0, Int(entry.length) == piece.count else { return false }
    for index in 0..<piece.count where bytes[start + index] != bytes[piece.lowerBound + index] {
      return false
    }
    let shift = piece.lowerBound - start
    for index in Int(entry.output)..<(Int(entry.output) + Int(entry.count)) {
      var symbol = output[index]
      symbol.start += shift
      symbol.end += shift
      output.append(symbol)
    }
    return true
  }

  /// The slot of a piece.
  func slot(_ bytes: UnsafeBufferPointer<UInt8>, _ piece: Range<Int>) -> Int {
    let hash = ByteStrings.hash(UnsafeBufferPointer(rebasing: bytes[piece]))
    return Int(truncatingIfNeeded: hash >> 32) & mask
  }

  /// Remembers the output of a piece.
  mutating func remember(_ piece: Range<Int>, slot: Int, output: Range<Int>) {
    guard output.upperBound < Int(Int32.max) else { return }
    entries[slot] = Entry(
      start: Int32(truncatingIfNeeded: piece.lowerBound),
      length: Int32(truncatingIfNeeded: piece.count),
      output: Int32(truncatingIfNeeded: output.lowerBound),
      count: Int32(truncatingIfNeeded: output.count))
  }
}
