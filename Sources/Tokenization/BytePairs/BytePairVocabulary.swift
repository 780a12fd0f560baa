/// A byte-level BPE vocabulary as plain values, as a GGUF file holds it.
public struct BytePairVocabulary: Sendable {
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

  /// The tokens by id, spelled in the byte-level alphabet (`Ġ` for a space).
  public var tokens: [String]
  /// The merges by rank, each two tokens with a space between: `"Ġ t"`.
  public var merges: [String]
  /// The GGUF type number of each token; empty if all are normal.
  public var tokenTypes: [Int]
  /// How a text is split before merging: `smollm`, `gpt-2`, `llama-bpe`, `qwen2`, `default`, ….
  public var preTokenizer: String
  /// The token that begins a text.
  public var bos: Int?
  /// The token that ends a text.
  public var eos: Int?
  /// The token for what the vocabulary cannot write.
  public var unknown: Int?
  /// The token that fills up a batch.
  public var padding: Int?
  /// Further tokens that end generation, such as the end of a turn.
  public var endOfText: [Int]
  /// Whether the model expects `bos` first; `nil` if the file does not say.
  public var addsBOS: Bool?

  /// Gathers a vocabulary.
  public init(
    tokens: [String], merges: [String], tokenTypes: [Int] = [], preTokenizer: String = "default",
    bos: Int? = nil, eos: Int? = nil, unknown: Int? = nil, padding: Int? = nil,
    endOfText: [Int] = [], addsBOS: Bool? = nil
  ) {
    self.tokens = tokens
    self.merges = merges
    self.tokenTypes = tokenTypes
    self.preTokenizer = preTokenizer
    self.bos = bos
    self.eos = eos
    self.unknown = unknown
    self.padding = padding
    self.endOfText = endOfText
    self.addsBOS = addsBOS
  }
}
