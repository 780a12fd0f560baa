/// One step from the spelling of tokens back to the text.
enum DecodingStep: Sendable, Equatable {
  /// Reads the byte-level alphabet.
  case byteLevel
  /// Joins pieces of words, with a space before each other token; cleans up spaces before
  /// punctuation if so told.
  case wordPiece(prefix: [UInt8], cleansUp: Bool)
  /// Reads a mark as a space, or at the start of a text that got one as nothing.
  case spaces(mark: [UInt8], dropsFirst: Bool)
  /// Reads `<0x0A>` as a byte.
  case byteFallback
  /// Joins all to one.
  case fuse
  /// Takes a text away from both ends of every part, up to so many times.
  case strip([UInt8], start: Int, end: Int)
  /// Puts a text where a pattern matches.
  case replace(TextPattern, with: [UInt8])
  /// Reads the end of a word as a space.
  case suffix([UInt8])

  /// The text of tokens given by their spelling.
  static func decode(_ steps: [DecodingStep], _ spellings: [[UInt8]]) -> [UInt8] {
    var parts = spellings
    for step in steps { parts = step.apply(parts) }
    return Array(parts.joined())
  }

  /// Appends what a token stands for amid a text; `false` for a spelling that cannot be read.
  typealias Reader = (UnsafeBufferPointer<UInt8>, inout [UInt8]) -> Bool

  /// What reads single tokens.
  static func reader(_ steps: [DecodingStep]) -> Reader {
    if steps.contains(.byteLevel) { return { ByteAlphabet.read($0, into: &$1) } }
    let hasBytes = steps.contains(.byteFallback)
    let changes = steps.filter {
      switch $0 {
      case .spaces, .replace, .suffix: true
      case .byteLevel, .wordPiece, .byteFallback, .fuse, .strip: false
      }
    }
    return { token, output in
      if hasBytes, let byte = SentencePiece.byte(token) {
        output.append(byte)
        return true
      }
      output.append(contentsOf: changes.reduce(Array(token)) { $1.change(amid: $0) })
      return true
    }
  }

  /// A part after this step, with text before and after it.
  private func change(amid part: [UInt8]) -> [UInt8] {
    switch self {
    case .spaces(let mark, _), .suffix(let mark):
      Self.replacing(mark, with: [0x20], in: part)
    case .replace(let pattern, let replacement):
      Self.replace(pattern, replacement, part)
    case .byteLevel, .wordPiece, .byteFallback, .fuse, .strip:
      part
    }
  }

  private func apply(_ parts: [[UInt8]]) -> [[UInt8]] {
    switch self {
    case .byteLevel:
      var bytes: [UInt8] = []
      for part in parts {
        let isRead = part.withUnsafeBufferPointer { ByteAlphabet.read($0, into: &bytes) }
        if !isRead { bytes.append(contentsOf: part) }
      }
      return [bytes]
    case .wordPiece(let prefix, let cleansUp):
      return parts.enumerated().map { index, part in
        var part = part
        if index > 0 {
          part = part.starts(with: prefix) ? Array(part.dropFirst(prefix.count)) : [0x20] + part
        }
        return cleansUp ? Self.cleanUp(part) : part
      }
    case .spaces(let mark, let dropsFirst):
      return parts.enumerated().map { index, part in
        Self.replacing(mark, with: index == 0 && dropsFirst ? [] : [0x20], in: part)
      }
    case .byteFallback:
      return Self.joinBytes(parts)
    case .fuse:
      return [Array(parts.joined())]
    case .strip(let text, let start, let end):
      return parts.map { part in
        var part = part[...]
        for _ in 0..<max(0, min(start, part.count)) where part.starts(with: text) {
          part = part.dropFirst(text.count)
        }
        for _ in 0..<max(0, min(end, part.count)) where part.suffix(text.count) == text[...] {
          part = part.dropLast(text.count)
        }
        return Array(part)
      }
    case .replace(let pattern, let replacement):
      return parts.map { Self.replace(pattern, replacement, $0) }
    case .suffix(let suffix):
      return parts.enumerated().map { index, part in
        Self.replacing(suffix, with: index + 1 == parts.count ? [] : [0x20], in: part)
      }
    }
  }

  /// Runs of bytes as their characters; each byte of a run that is no UTF-8 as U+FFFD.
  private static func joinBytes(_ parts: [[UInt8]]) -> [[UInt8]] {
    var joined: [[UInt8]] = []
    var bytes: [UInt8] = []
    func flush() {
      guard !bytes.isEmpty else { return }
      if String(validating: bytes, as: UTF8.self) != nil {
        joined.append(bytes)
      } else {
        joined += Array(repeating: [0xEF, 0xBF, 0xBD], count: bytes.count)
      }
      bytes = []
    }
    for part in parts {
      if let byte = SentencePiece.byte(part) {
        bytes.append(byte)
      } else {
        flush()
        joined.append(part)
      }
    }
    flush()
    return joined
  }

  private static func replace(
    _ pattern: TextPattern, _ replacement: [UInt8], _ text: [UInt8]
  ) -> [UInt8] {
    text.withUnsafeBufferPointer { bytes in
      var result: [UInt8] = []
      var kept = 0
      for match in pattern.matches(bytes, 0..<bytes.count) {
        result += bytes[kept..<match.lowerBound]
        result += replacement
        kept = match.upperBound
      }
      return result + bytes[kept...]
    }
  }

  private static func replacing(
    _ old: [UInt8], with new: [UInt8], in text: [UInt8]
  ) -> [UInt8] {
    guard !old.isEmpty, text.count >= old.count else { return text }
    var result: [UInt8] = []
    var index = 0
    while index < text.count {
      if text[index] == old[0], text[index...].starts(with: old) {
        result += new
        index += old.count
      } else {
        result.append(text[index])
        index += 1
      }
    }
    return result
  }

  /// Takes away the spaces that English does not write, in the order BERT does.
  private static func cleanUp(_ part: [UInt8]) -> [UInt8] {
    guard part.contains(0x20) else { return part }
    let changes = [
      (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"),
      (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ]
    return changes.reduce(part) { replacing(Array($1.0.utf8), with: Array($1.1.utf8), in: $0) }
  }
}
