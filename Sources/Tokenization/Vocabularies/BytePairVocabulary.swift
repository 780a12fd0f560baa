/// A byte-level BPE vocabulary as plain values, as a GGUF file holds it.
public struct BytePairVocabulary: Sendable {
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
  /// The token that stands where a word is to be guessed.
  public var mask: Int?
  /// Whether the model expects `bos` first; `nil` if the file does not say.
  public var addsBOS: Bool?
  /// Whether the model expects `eos` last; `nil` if the file does not say.
  public var addsEOS: Bool?

  /// Gathers a vocabulary.
  public init(
    tokens: [String], merges: [String], tokenTypes: [Int] = [], preTokenizer: String = "default",
    bos: Int? = nil, eos: Int? = nil, unknown: Int? = nil, padding: Int? = nil,
    endOfText: [Int] = [], mask: Int? = nil, addsBOS: Bool? = nil, addsEOS: Bool? = nil
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
    self.mask = mask
    self.addsBOS = addsBOS
    self.addsEOS = addsEOS
  }
}
