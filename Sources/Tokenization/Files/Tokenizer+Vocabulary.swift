extension Tokenizer {
  /// A tokenizer over the plain values of a vocabulary, as a GGUF file holds them.
  ///
  /// - Parameters:
  ///   - vocabulary: Tokens, merges and their settings.
  ///   - chatTemplate: The source of the model's chat template, if it has one.
  ///   - file: What messages call the source.
  /// - Throws: What is missing or contradictory, or a pre-tokenizer that Telescope does not know.
  public init(
    vocabulary: BytePairVocabulary, chatTemplate: String? = nil, file: String = "vocabulary"
  ) throws(TokenizationError) {
    guard let splitting = Splitting(vocabulary.preTokenizer) else {
      throw TokenizationError(
        .unsupported,
        "\(file): the pre-tokenizer '\(printable(vocabulary.preTokenizer))' is not one Telescope "
          + "knows; it knows \(Splitting.names.joined(separator: ", ")).")
    }
    let roles = TokenRoles(
      bos: vocabulary.bos, eos: vocabulary.eos, unknown: vocabulary.unknown,
      padding: vocabulary.padding, mask: vocabulary.mask, endOfText: vocabulary.endOfText,
      beginning: vocabulary.addsBOS ?? splitting.addsBOS ? vocabulary.bos.map { [$0] } ?? [] : [],
      ending: vocabulary.addsEOS ?? false ? vocabulary.eos.map { [$0] } ?? [] : [])
    let kinds = try TokenKinds(
      vocabulary.tokens, vocabulary.tokenTypes, roles: roles, file: file)
    let isText = Set(kinds.added.map(\.id))
    let table = try TokenTable(
      vocabulary.tokens, isText: { isText.contains($0) }, file: file,
      decode: DecodingStep.reader([.byteLevel]))
    let model = try PairModel(
      bytes: table, isText: { isText.contains($0) }, merges: .joined(vocabulary.merges),
      ignoresMerges: splitting.ignoresMerges, file: file)
    self.init(
      TokenizerParts(
        model: .pairs(model), normalizing: splitting.composes ? [.form(.composed)] : [],
        splitting: splitting.steps, decoding: [.byteLevel], added: kinds.added, roles: roles,
        chatTemplate: chatTemplate))
  }
}

/// How the tokenizers that GGUF knows by name split a text.
private struct Splitting {
  var steps: [PreTokenizer]
  var composes = false
  var ignoresMerges = false
  var addsBOS = false

  static let names = [
    "command-r", "dbrx", "deepseek-r1-qwen", "default", "falcon", "falcon3", "gpt-2", "gpt2",
    "llama-bpe", "llama-v3", "llama3", "modern-bert", "mpt", "olmo", "phi-2", "qwen2", "refact",
    "roberta-bpe", "smaug-bpe", "smollm", "stablelm2", "starcoder",
  ]

  /// The splitting of a name; files without one are old and mostly GPT-2's, which `default` stands
  /// for.
  init?(_ name: String) {
    switch name {
    case "default", "gpt-2", "gpt2", "modern-bert", "mpt", "olmo", "phi-2", "roberta-bpe":
      self.init(steps: [.pieces(.words)])
    case "command-r", "refact", "smollm", "starcoder":
      self.init(steps: [.split(.number, .isolated, inverted: false), .pieces(.words)])
    case "falcon3", "llama-bpe", "llama-v3", "llama3":
      self.init(
        steps: [.pieces(.lines(maximumDigits: 3))], ignoresMerges: true, addsBOS: true)
    case "dbrx", "smaug-bpe":
      self.init(steps: [.pieces(.lines(maximumDigits: 3))])
    case "deepseek-r1-qwen", "qwen2":
      self.init(steps: [.pieces(.lines(maximumDigits: 1))], composes: true)
    case "stablelm2":
      self.init(steps: [.pieces(.lines(maximumDigits: 1))])
    case "falcon":
      self.init(steps: [
        .split(.punctuation, .contiguous, inverted: false), .pieces(.words),
        .split(.text(TextPattern(regex: "[0-9][0-9][0-9]")!), .isolated, inverted: false),
      ])
    default:
      return nil
    }
  }

  private init(
    steps: [PreTokenizer], composes: Bool = false, ignoresMerges: Bool = false,
    addsBOS: Bool = false
  ) {
    self.steps = steps
    self.composes = composes
    self.ignoresMerges = ignoresMerges
    self.addsBOS = addsBOS
  }
}
