/// What a text is split at.
enum Delimiter: Sendable, Equatable {
  /// White space, each character by itself.
  case space
  /// Punctuation, each sign by itself.
  case punctuation
  /// Number characters, each by itself.
  case number
  /// Number characters of the byte-level alphabet, by the byte they stand for.
  case alphabetNumber
  /// Runs of word characters, and runs of what is neither word nor space (`\w+|[^\w\s]+`).
  case words
  /// Matches of a pattern.
  case text(TextPattern)
  /// Pieces of one of the known patterns.
  case pieces(PiecePattern)

  /// What becomes of the matches.
  enum Behavior: String, Sendable, Equatable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"
  }

  /// Appends the pieces of one part of a text.
  func split(
    _ bytes: UnsafeBufferPointer<UInt8>, _ part: Range<Int>, _ behavior: Behavior, inverted: Bool,
    into pieces: inout [Range<Int>]
  ) {
    var joiner = Joiner(behavior: behavior, pieces: pieces)
    pieces = []
    var end = part.lowerBound
    func found(_ match: Range<Int>) {
      if end < match.lowerBound { joiner.add(end..<match.lowerBound, isMatch: inverted) }
      joiner.add(match, isMatch: !inverted)
      end = match.upperBound
    }
    switch self {
    case .space:
      Scalars.each(bytes, part) { if $0.isSpace { found($1) } }
    case .punctuation:
      Scalars.each(bytes, part) { if $0.isPunctuation { found($1) } }
    case .number:
      Scalars.each(bytes, part) { if $0.isNumber { found($1) } }
    case .alphabetNumber:
      for index in part where Self.isAlphabetNumber(bytes[index]) { found(index..<(index + 1)) }
    case .words:
      Self.words(bytes, part, found)
    case .text(let pattern):
      for match in pattern.matches(bytes, part) { found(match) }
    case .pieces(let pattern):
      pattern.matches(bytes, part, found)
    }
    if end < part.upperBound { joiner.add(end..<part.upperBound, isMatch: inverted) }
    pieces = joiner.finish()
  }

  /// Whether the character that stands for a byte in the byte-level alphabet is a number: the digits,
  /// `²`, `³`, `¹`, `¼`, `½` and `¾`.
  private static func isAlphabetNumber(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0xB2, 0xB3, 0xB9, 0xBC...0xBE: true
    default: false
    }
  }

  private static func words(
    _ bytes: UnsafeBufferPointer<UInt8>, _ part: Range<Int>, _ found: (Range<Int>) -> Void
  ) {
    var start = part.lowerBound
    var kind: Bool?
    Scalars.each(bytes, part) { scalar, range in
      let next: Bool? = scalar.isWord ? true : scalar.isSpace ? nil : false
      if next != kind {
        if kind != nil { found(start..<range.lowerBound) }
        start = range.lowerBound
        kind = next
      }
    }
    if kind != nil { found(start..<part.upperBound) }
  }
}

/// Joins matches and what lies between to pieces.
private struct Joiner {
  let behavior: Delimiter.Behavior
  var pieces: [Range<Int>]
  /// Whether the last stretch was a match; `nil` before the first.
  private var last: Bool?
  /// A match that waits for what follows it.
  private var waiting: Range<Int>?

  init(behavior: Delimiter.Behavior, pieces: [Range<Int>]) {
    self.behavior = behavior
    self.pieces = pieces
  }

  mutating func add(_ range: Range<Int>, isMatch: Bool) {
    switch behavior {
    case .removed:
      if !isMatch { pieces.append(range) }
    case .isolated:
      pieces.append(range)
    case .contiguous:
      if last == isMatch { extend(to: range.upperBound) } else { pieces.append(range) }
    case .mergedWithPrevious:
      if isMatch, last == false { extend(to: range.upperBound) } else { pieces.append(range) }
    case .mergedWithNext:
      if isMatch {
        if let waiting { pieces.append(waiting) }
        waiting = range
      } else {
        pieces.append((waiting?.lowerBound ?? range.lowerBound)..<range.upperBound)
        waiting = nil
      }
    }
    last = isMatch
  }

  private mutating func extend(to end: Int) {
    pieces[pieces.count - 1] = pieces[pieces.count - 1].lowerBound..<end
  }

  mutating func finish() -> [Range<Int>] {
    if let waiting { pieces.append(waiting) }
    return pieces
  }
}
