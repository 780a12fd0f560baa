/// A BPE vocabulary with scores in place of merges, as a SentencePiece model or a GGUF file holds it.
///
/// Characters are merged, always the two neighbours whose joined token has the highest score, the
/// leftmost first.
public struct ScoredPairVocabulary: Sendable {
  /// The tokens by id, with `▁` for a space; a token of kind ``TokenKind/byte`` is `<0x0A>`.
  public var tokens: [String]
  /// The score of each token; those made by earlier merges have higher ones.
  public var scores: [Double]
  /// The number of each token's ``TokenKind``; empty if all are normal.
  ///
  /// Control tokens and the unknown token are found in a text only when asked, those added by hand
  /// always, and merged too; bytes are used where `usesByteFallback` says so.
  public var tokenTypes: [Int]
  /// How a text is prepared.
  public var text: SentencePieceText
  /// Whether a character without a token is written as its bytes, where there is a token for each.
  public var usesByteFallback: Bool
  /// Whether neighbouring characters without a token share one unknown token.
  public var fusesUnknown: Bool
  /// The tokens with a role.
  public var roles: TokenRoles

  /// Gathers a vocabulary.
  public init(
    tokens: [String], scores: [Double], tokenTypes: [Int] = [],
    text: SentencePieceText = SentencePieceText(), usesByteFallback: Bool = true,
    fusesUnknown: Bool = true, roles: TokenRoles = TokenRoles()
  ) {
    self.tokens = tokens
    self.scores = scores
    self.tokenTypes = tokenTypes
    self.text = text
    self.usesByteFallback = usesByteFallback
    self.fusesUnknown = fusesUnknown
    self.roles = roles
  }
}
