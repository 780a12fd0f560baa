/// A text as token ids, each with the bytes of the text it stands for.
public struct TokenizedText: Sendable, Equatable {
  /// The text.
  public var text: String
  /// The ids, in order.
  public var ids: [Int]
  /// For each id the range of the text it stands for, in UTF-8 bytes.
  ///
  /// Ranges ascend and do not overlap, unless the tokenizer normalizes the text: tokens that share a
  /// character which normalization changed then all name the whole character.
  public var ranges: [Range<Int>]
  /// Bytes of the text that no token stands for, as the vocabulary has none for them.
  public var omitted: [Range<Int>]

  /// Gathers a tokenized text.
  public init(text: String, ids: [Int], ranges: [Range<Int>], omitted: [Range<Int>] = []) {
    self.text = text
    self.ids = ids
    self.ranges = ranges
    self.omitted = omitted
  }

  /// The number of tokens.
  public var count: Int { ids.count }

  /// Compares ids, ranges and the very bytes of the text.
  public static func == (left: TokenizedText, right: TokenizedText) -> Bool {
    left.ids == right.ids && left.ranges == right.ranges && left.omitted == right.omitted
      && left.text.utf8.elementsEqual(right.text.utf8)
  }
}
