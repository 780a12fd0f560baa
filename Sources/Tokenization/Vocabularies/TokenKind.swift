/// What a token is for, numbered as GGUF numbers it.
public enum TokenKind: Int, Sendable {
  /// Made by merging.
  case normal = 1
  /// Stands for what the vocabulary cannot write.
  case unknown = 2
  /// Special: found in a text only when asked.
  case control = 3
  /// Added by hand: always found in a text.
  case userDefined = 4
  /// A number without a token.
  case unused = 5
  /// One byte.
  case byte = 6
}
