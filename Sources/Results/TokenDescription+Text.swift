extension Sequence<TokenDescription> {
  /// The text of tokens that follow one another.
  ///
  /// A character may span several tokens, none of which is text alone: their bytes are joined
  /// first, then read. U+FFFD stands for what is no UTF-8 even then.
  public var joinedText: String {
    String(decoding: flatMap(\.utf8), as: UTF8.self)
  }
}

extension TokenDescription {
  /// The token's bytes.
  var utf8: [UInt8] {
    guard let bytes else { return Array(text.utf8) }
    let digits = bytes.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
    return stride(from: 0, to: digits.count - 1, by: 2).map {
      UInt8(digits[$0] * 16 + digits[$0 + 1])
    }
  }
}
