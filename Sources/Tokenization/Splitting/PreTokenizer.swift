/// One step of splitting a text into the pieces that are merged apart from each other.
enum PreTokenizer: Sendable, Equatable {
  /// Splits every part of the text by a pattern.
  case split(PiecePattern)
  /// Sets every run of number characters apart.
  case numberRuns
  /// Puts a space before every part that does not begin with one.
  case prefixSpace

  /// The pieces of one part of a text, which gains spaces where the steps say so.
  static func pieces(
    _ steps: [PreTokenizer], of text: inout WorkingText, _ part: Range<Int>
  ) -> [Range<Int>] {
    var parts = [part]
    for step in steps {
      switch step {
      case .split(let pattern):
        parts = split(text, parts, by: pattern)
      case .numberRuns:
        parts = split(text, parts, by: .numbers(maximumDigits: .max))
      case .prefixSpace:
        parts = text.insertSpaces(before: parts)
      }
    }
    return parts
  }

  private static func split(
    _ text: WorkingText, _ parts: [Range<Int>], by pattern: PiecePattern
  ) -> [Range<Int>] {
    var pieces: [Range<Int>] = []
    pieces.reserveCapacity(parts.reduce(0) { $0 + $1.count } / 4)
    text.bytes.withUnsafeBufferPointer { bytes in
      for part in parts { pattern.split(bytes, part, into: &pieces) }
    }
    return pieces
  }
}
