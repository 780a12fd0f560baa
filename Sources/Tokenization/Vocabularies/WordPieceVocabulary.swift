/// A WordPiece vocabulary as plain values, as `vocab.txt` or a GGUF file holds it.
///
/// A word is divided from its start, each time by the longest token that fits; a word that cannot be
/// divided is unknown as a whole.
public struct WordPieceVocabulary: Sendable {
  /// How BERT prepares a text; accents are stripped where letters are lowered.
  public struct Preparation: Sendable, Equatable {
    /// Whether control characters go and every white space becomes a space.
    public var cleansText: Bool
    /// Whether Chinese characters are words of their own.
    public var dividesChinese: Bool
    /// Whether accents are stripped; `nil` if where letters are lowered.
    public var stripsAccents: Bool?
    /// Whether letters are lowered.
    public var lowercases: Bool

    /// Gathers the settings.
    public init(
      cleansText: Bool = true, dividesChinese: Bool = true, stripsAccents: Bool? = nil,
      lowercases: Bool = true
    ) {
      self.cleansText = cleansText
      self.dividesChinese = dividesChinese
      self.stripsAccents = stripsAccents
      self.lowercases = lowercases
    }
  }

  /// The tokens by id; one that continues a word begins with `continuationPrefix`.
  public var tokens: [String]
  /// The number of each token's ``TokenKind``; empty if all are normal.
  ///
  /// Control tokens and the unknown token are found in a text only when asked, those added by hand
  /// always.
  public var tokenTypes: [Int]
  /// What a token that continues a word begins with.
  public var continuationPrefix: String
  /// The length in characters beyond which a word is unknown.
  public var longestWord: Int
  /// How a text is prepared.
  public var text: Preparation
  /// The tokens with a role; `unknown` must be among them.
  public var roles: TokenRoles

  /// Gathers a vocabulary.
  public init(
    tokens: [String], tokenTypes: [Int] = [], continuationPrefix: String = "##",
    longestWord: Int = 100, text: Preparation = Preparation(), roles: TokenRoles = TokenRoles()
  ) {
    self.tokens = tokens
    self.tokenTypes = tokenTypes
    self.continuationPrefix = continuationPrefix
    self.longestWord = longestWord
    self.text = text
    self.roles = roles
  }
}
