/// Tokens that are found in a text as they stand, before it is split.
struct AddedTokens: Sendable {
  /// One added token.
  struct Token: Sendable {
    var id: Int
    var text: String
    /// Found only when special tokens are asked for.
    var isSpecial = false
    /// Found only between characters that are not part of a word.
    var isWord = false
    /// Takes in the spaces before it.
    var takesSpaceBefore = false
    /// Takes in the spaces after it.
    var takesSpaceAfter = false
    /// Looked for after normalization.
    var isNormalized = false
  }

  /// A stretch of a text that is an added token, or holds none.
  struct Part {
    var range: Range<Int>
    var id: Int?
  }

  private let tokens: [Token]
  private var trie: ByteTrie
  /// Which bytes begin a token.
  private var begins = [Bool](repeating: false, count: 256)

  /// Builds the tree of the tokens; of several with one text the last holds.
  init(_ tokens: [Token]) {
    self.tokens = tokens
    trie = ByteTrie(capacity: tokens.count)
    for (index, token) in tokens.enumerated() {
      guard let first = token.text.utf8.first else { continue }
      begins[Int(first)] = true
      _ = trie.insert(token.text.utf8, value: index)
    }
  }

  /// Divides a part of a text at the added tokens in it: the leftmost first, of several the longest.
  func divide(_ text: [UInt8], _ part: Range<Int>, special: Bool) -> [Part] {
    guard !trie.isEmpty else { return [Part(range: part)] }
    var parts: [Part] = []
    var done = part.lowerBound
    var index = part.lowerBound
    text.withUnsafeBufferPointer { bytes in
      while index < part.upperBound {
        guard begins[Int(bytes[index])],
          let (number, end) = trie.longest(bytes, index..<part.upperBound)
        else {
          index += 1
          continue
        }
        let token = tokens[number]
        let found = index..<end
        index = end
        if token.isSpecial && !special { continue }
        if token.isWord && !standsAlone(bytes, found, in: part) { continue }
        var range = found
        if token.takesSpaceBefore {
          range = spaceStart(bytes, range.lowerBound, from: done)..<range.upperBound
        }
        if token.takesSpaceAfter {
          range = range.lowerBound..<spaceEnd(bytes, range.upperBound, to: part.upperBound)
          index = range.upperBound
        }
        if done < range.lowerBound { parts.append(Part(range: done..<range.lowerBound)) }
        parts.append(Part(range: range, id: token.id))
        done = range.upperBound
      }
    }
    if done < part.upperBound { parts.append(Part(range: done..<part.upperBound)) }
    return parts
  }

  private func standsAlone(
    _ bytes: UnsafeBufferPointer<UInt8>, _ found: Range<Int>, in part: Range<Int>
  ) -> Bool {
    let before = lastScalar(bytes, before: found.lowerBound, from: part.lowerBound)
    let after = firstScalar(bytes, at: found.upperBound, to: part.upperBound)
    return !(before?.isWord ?? false) && !(after?.isWord ?? false)
  }

  private func spaceStart(
    _ bytes: UnsafeBufferPointer<UInt8>, _ end: Int, from start: Int
  ) -> Int {
    var index = end
    while let scalar = lastScalar(bytes, before: index, from: start), scalar.properties.isWhitespace
    {
      index -= UTF8.width(scalar)
    }
    return index
  }

  private func spaceEnd(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, to end: Int) -> Int {
    var index = start
    while let scalar = firstScalar(bytes, at: index, to: end), scalar.properties.isWhitespace {
      index += UTF8.width(scalar)
    }
    return index
  }

  private func firstScalar(
    _ bytes: UnsafeBufferPointer<UInt8>, at start: Int, to end: Int
  ) -> Unicode.Scalar? {
    guard start < end else { return nil }
    let stop = min(start + 4, end)
    return String(decoding: bytes[start..<stop], as: UTF8.self).unicodeScalars.first
  }

  private func lastScalar(
    _ bytes: UnsafeBufferPointer<UInt8>, before end: Int, from start: Int
  ) -> Unicode.Scalar? {
    guard start < end else { return nil }
    var first = end - 1
    while first > start, bytes[first] & 0xC0 == 0x80 { first -= 1 }
    return String(decoding: bytes[first..<end], as: UTF8.self).unicodeScalars.first
  }
}
