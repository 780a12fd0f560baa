/// Finds where the piece that begins at an index ends; every piece has at least one character.
struct PieceScanner {
  let text: UnsafeBufferPointer<UInt8>
  /// Where the part of the text ends that is being split; look-ahead sees nothing beyond.
  let end: Int

  private static let apostrophe = UInt8(ascii: "'")

  /// A piece of GPT-2's pattern.
  ///
  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
  func wordPiece(_ start: Int) -> Int {
    if text[start] == Self.apostrophe, let end = contraction(start, ignoringCase: false) {
      return end
    }
    var first = CharacterClass.scan(text, start)
    var index = start
    if text[start] == 0x20, start + 1 < end {
      let second = CharacterClass.scan(text, start + 1)
      if second.kind != .space {
        first = second
        index += 1
      }
    }
    if first.kind == .space { return spaces(start) }
    return run(first.kind, from: index + first.length)
  }

  /// A piece of the pattern of Llama 3 and Qwen 2.
  ///
  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,n}| ?[^\s\p{L}\p{N}]+[\r\n]*|`
  /// `\s*[\r\n]+|\s+(?!\S)|\s+`
  func linePiece(_ start: Int, _ maximumDigits: Int) -> Int {
    if text[start] == Self.apostrophe, let end = contraction(start, ignoringCase: true) {
      return end
    }
    let first = CharacterClass.scan(text, start)
    let second = start + first.length
    switch first.kind {
    case .letter:
      return run(.letter, from: second)
    case .number:
      return numbers(second, maximumDigits - 1)
    case .other:
      if second < end {
        let next = CharacterClass.scan(text, second)
        if next.kind == .letter { return run(.letter, from: second + next.length) }
      }
      return lineBreaks(run(.other, from: second))
    case .space:
      if second < end, !isLineBreak(text[start]) {
        let next = CharacterClass.scan(text, second)
        if next.kind == .letter { return run(.letter, from: second + next.length) }
        if next.kind == .other, text[start] == 0x20 {
          return lineBreaks(run(.other, from: second + next.length))
        }
      }
      return spacesOrLines(start)
    }
  }

  /// Where the next number character is.
  func number(from start: Int) -> Int? {
    var index = start
    while index < end {
      let next = CharacterClass.scan(text, index)
      if next.kind == .number { return index }
      index += next.length
    }
    return nil
  }

  /// The end of a run of one class.
  @inline(__always)
  private func run(_ kind: CharacterClass, from start: Int) -> Int {
    var index = start
    while index < end {
      let next = CharacterClass.scan(text, index)
      if next.kind != kind { break }
      index += next.length
    }
    return index
  }

  /// Where a run of at most so many number characters ends.
  func numbers(_ start: Int, _ maximum: Int) -> Int {
    var index = start
    var left = maximum
    while left > 0, index < end {
      let next = CharacterClass.scan(text, index)
      if next.kind != .number { break }
      index += next.length
      left -= 1
    }
    return index
  }

  private func isLineBreak(_ byte: UInt8) -> Bool { byte == 0x0A || byte == 0x0D }

  private func lineBreaks(_ start: Int) -> Int {
    var index = start
    while index < end, isLineBreak(text[index]) { index += 1 }
    return index
  }

  /// `\s+(?!\S)|\s+`: a run of spaces, but for its last where something follows.
  private func spaces(_ start: Int) -> Int {
    var index = start
    var last = start
    while index < end {
      let next = CharacterClass.scan(text, index)
      if next.kind != .space { break }
      last = index
      index += next.length
    }
    return index == end || last == start ? index : last
  }

  /// `\s*[\r\n]+|\s+(?!\S)|\s+`: a run of spaces up to its last line break, if it has one.
  private func spacesOrLines(_ start: Int) -> Int {
    var index = start
    var last = start
    var afterBreak = start
    while index < end {
      let next = CharacterClass.scan(text, index)
      if next.kind != .space { break }
      last = index
      index += next.length
      if isLineBreak(text[last]) { afterBreak = index }
    }
    if afterBreak > start { return afterBreak }
    return index == end || last == start ? index : last
  }

  /// `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll`, `'d` after the apostrophe at `start`.
  private func contraction(_ start: Int, ignoringCase: Bool) -> Int? {
    guard start + 1 < end else { return nil }
    let fold: UInt8 = ignoringCase ? 0x20 : 0
    let first = text[start + 1]
    switch first | fold {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
      return start + 2
    default:
      break
    }
    guard start + 2 < end else { return nil }
    // U+017F, the long s, folds to s.
    if ignoringCase, first == 0xC5, text[start + 2] == 0xBF { return start + 3 }
    switch (first | fold, text[start + 2] | fold) {
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return start + 3
    default:
      return nil
    }
  }
}
