/// One step of splitting a text into the pieces that become tokens apart from each other.
enum PreTokenizer: Sendable, Equatable {
  /// Splits every part of the text at something.
  case split(Delimiter, Delimiter.Behavior, inverted: Bool)
  /// Drops white space, and sets every sign of punctuation apart.
  case bert
  /// Puts a space before every part that does not begin with one.
  case prefixSpace
  /// Writes spaces as another character, as SentencePiece does with `▁`; a part that begins with one
  /// gets another before it if `doubles`.
  case spaces(as: [UInt8], prefix: SentencePieceText.Prefix, splits: Bool, doubles: Bool)

  /// Splits by one of the known patterns, whose pieces fill the text.
  static func pieces(_ pattern: PiecePattern) -> PreTokenizer {
    .split(.pieces(pattern), .isolated, inverted: false)
  }

  /// The pieces of one part of a text, which is written anew where the steps say so.
  ///
  /// - Parameters:
  ///   - steps: The steps, in order.
  ///   - text: The text.
  ///   - part: The part of it.
  ///   - isFirst: Whether the part begins the source, even if normalization dropped its start.
  /// - Returns: The pieces in order, as ranges of the text.
  static func pieces(
    _ steps: [PreTokenizer], of text: inout WorkingText, _ part: Range<Int>, isFirst: Bool
  ) -> [Range<Int>] {
    var parts = part.isEmpty ? [] : [part]
    var isFirst = isFirst
    for step in steps {
      switch step {
      case .prefixSpace:
        parts = insertSpaces(&text, parts)
      case .spaces(let mark, let prefix, let splits, let doubles):
        parts = writeSpaces(
          &text, parts, mark, prefix, splits: splits, doubles: doubles, isFirst: isFirst)
      case .bert, .split:
        var pieces: [Range<Int>] = []
        pieces.reserveCapacity(parts.reduce(0) { $0 + $1.count } / 4)
        text.bytes.withUnsafeBufferPointer { bytes in
          for part in parts { step.split(bytes, part, into: &pieces) }
        }
        parts = pieces
        isFirst = false
      }
    }
    return parts
  }

  private func split(
    _ bytes: UnsafeBufferPointer<UInt8>, _ part: Range<Int>, into pieces: inout [Range<Int>]
  ) {
    switch self {
    case .split(.pieces(let pattern), .isolated, inverted: false) where pattern.fillsText:
      pattern.matches(bytes, part) { pieces.append($0) }
    case .split(let delimiter, let behavior, let inverted):
      delimiter.split(bytes, part, behavior, inverted: inverted, into: &pieces)
    case .bert:
      var start = part.lowerBound
      Scalars.each(bytes, part) { scalar, range in
        let isSpace = scalar.isSpace
        guard isSpace || scalar.isPunctuation else { return }
        if start < range.lowerBound { pieces.append(start..<range.lowerBound) }
        if !isSpace { pieces.append(range) }
        start = range.upperBound
      }
      if start < part.upperBound { pieces.append(start..<part.upperBound) }
    case .prefixSpace, .spaces:
      pieces.append(part)
    }
  }

  private static func insertSpaces(
    _ text: inout WorkingText, _ parts: [Range<Int>]
  ) -> [Range<Int>] {
    var writer = WorkingText.Writer(from: text, whole(parts))
    var newParts: [Range<Int>] = []
    for part in parts where !part.isEmpty {
      let start = writer.bytes.count
      if text.bytes[part.lowerBound] != 0x20 {
        writer.write(CollectionOfOne(0x20), for: part.lowerBound..<part.lowerBound)
      }
      writer.keep(part)
      newParts.append(start..<writer.bytes.count)
    }
    text = writer.finish()
    return newParts
  }

  /// Writes every space as a mark and puts one before the parts that want one; a piece begins at
  /// every mark if `splits`.
  private static func writeSpaces(
    _ text: inout WorkingText, _ parts: [Range<Int>], _ mark: [UInt8],
    _ prefix: SentencePieceText.Prefix, splits: Bool, doubles: Bool, isFirst: Bool
  ) -> [Range<Int>] {
    var writer = WorkingText.Writer(from: text, whole(parts))
    var pieces: [Range<Int>] = []
    text.bytes.withUnsafeBufferPointer { bytes in
      for part in parts where !part.isEmpty {
        var start = writer.bytes.count
        let isMarked =
          bytes[part.lowerBound] == 0x20 || begins(bytes, part.lowerBound, part.upperBound, mark)
        let wanted =
          prefix == .always
          || prefix == .first && (isFirst || text.place(part).lowerBound == 0)
        if wanted, doubles || !isMarked {
          writer.write(mark, for: part.lowerBound..<part.lowerBound)
        }
        var kept = part.lowerBound
        var index = part.lowerBound
        while index < part.upperBound {
          let isSpace = bytes[index] == 0x20
          if isSpace || splits && begins(bytes, index, part.upperBound, mark) {
            writer.keep(kept..<index)
            if splits, writer.bytes.count > start, index > part.lowerBound {
              pieces.append(start..<writer.bytes.count)
              start = writer.bytes.count
            }
            let length = isSpace ? 1 : mark.count
            if isSpace {
              writer.write(mark, for: index..<(index + 1))
            } else {
              writer.keep(index..<(index + length))
            }
            index += length
            kept = index
          } else {
            index += 1
          }
        }
        writer.keep(kept..<part.upperBound)
        if start < writer.bytes.count { pieces.append(start..<writer.bytes.count) }
      }
    }
    text = writer.finish()
    return pieces
  }

  private static func begins(
    _ bytes: UnsafeBufferPointer<UInt8>, _ index: Int, _ end: Int, _ mark: [UInt8]
  ) -> Bool {
    guard end - index >= mark.count else { return false }
    for offset in mark.indices where bytes[index + offset] != mark[offset] { return false }
    return true
  }

  /// From the first part to the last.
  private static func whole(_ parts: [Range<Int>]) -> Range<Int> {
    (parts.first?.lowerBound ?? 0)..<(parts.last?.upperBound ?? 0)
  }
}
