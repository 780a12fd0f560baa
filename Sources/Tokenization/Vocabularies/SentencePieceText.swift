/// How a SentencePiece model prepares a text before it looks for tokens.
///
/// Spaces become `▁` (U+2581), so that a token may hold them.
public struct SentencePieceText: Sendable, Equatable {
  /// Which parts of a text get a space before them.
  public enum Prefix: Sendable, Equatable {
    /// None.
    case never
    /// The one at the very start of the text.
    case first
    /// Also every one after a special or added token.
    case always
  }

  /// The rules by which characters are replaced, as SentencePiece compiles them
  /// (`precompiled_charsmap`); empty if there are none.
  public var characterMap: [UInt8]
  /// Where a space is put before the text (`add_dummy_prefix`).
  public var prefix: Prefix
  /// Whether spaces at both ends go, and runs of spaces become one (`remove_extra_whitespaces`).
  public var removesExtraSpaces: Bool

  /// Gathers the settings.
  public init(
    characterMap: [UInt8] = [], prefix: Prefix = .always, removesExtraSpaces: Bool = false
  ) {
    self.characterMap = characterMap
    self.prefix = prefix
    self.removesExtraSpaces = removesExtraSpaces
  }
}
