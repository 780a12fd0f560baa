/// A Unigram vocabulary as plain values, as a SentencePiece model or a GGUF file holds it.
///
/// A text is divided into the tokens of the greatest sum of scores (Kudo 2018).
public struct UnigramVocabulary: Sendable {
  /// The tokens by id, with `▁` for a space; a token of kind ``TokenKind/byte`` is `<0x0A>`.
  public var tokens: [String]
  /// The score of each token, its log-probability.
  public var scores: [Double]
  /// The number of each token's ``TokenKind``; empty if all are normal.
  ///
  /// Control tokens and the unknown token are found in a text only when asked, those added by hand
  /// always; bytes are used where `usesByteFallback` says so.
  public var tokenTypes: [Int]
  /// How a text is prepared.
  public var text: SentencePieceText
  /// Whether a character without a token is written as its bytes, where there is a token for each.
  public var usesByteFallback: Bool
  /// The tokens with a role.
  public var roles: TokenRoles

  /// Gathers a vocabulary.
  public init(
    tokens: [String], scores: [Double], tokenTypes: [Int] = [],
    text: SentencePieceText = SentencePieceText(), usesByteFallback: Bool = false,
    roles: TokenRoles = TokenRoles()
  ) {
    self.tokens = tokens
    self.scores = scores
    self.tokenTypes = tokenTypes
    self.text = text
    self.usesByteFallback = usesByteFallback
    self.roles = roles
  }
}
