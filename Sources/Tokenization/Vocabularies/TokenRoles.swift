/// The tokens of a vocabulary that have a role.
public struct TokenRoles: Sendable, Equatable {
  /// The token that begins a text.
  public var bos: Int?
  /// The token that ends a text.
  public var eos: Int?
  /// The token for what the vocabulary cannot write.
  public var unknown: Int?
  /// The token that fills up a batch.
  public var padding: Int?
  /// The token that stands where a word is to be guessed.
  public var mask: Int?
  /// Further tokens that end generation, such as the end of a turn.
  public var endOfText: [Int]
  /// The tokens the model expects before a single text, such as `[CLS]`.
  public var beginning: [Int]
  /// The tokens the model expects after a single text, such as `[SEP]`.
  public var ending: [Int]

  /// Gathers the roles.
  public init(
    bos: Int? = nil, eos: Int? = nil, unknown: Int? = nil, padding: Int? = nil, mask: Int? = nil,
    endOfText: [Int] = [], beginning: [Int] = [], ending: [Int] = []
  ) {
    self.bos = bos
    self.eos = eos
    self.unknown = unknown
    self.padding = padding
    self.mask = mask
    self.endOfText = endOfText
    self.beginning = beginning
    self.ending = ending
  }
}
