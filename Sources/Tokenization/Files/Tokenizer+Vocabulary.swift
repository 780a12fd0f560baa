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
    let types = vocabulary.tokenTypes
    guard types.isEmpty || types.count == vocabulary.tokens.count else {
      throw TokenizationError(
        .malformed,
        "\(file): there are \(vocabulary.tokens.count) tokens but \(types.count) token types; the "
          + "file is damaged.")
    }
    var added: [AddedTokens.Token] = []
    for (id, type) in types.enumerated() {
      switch BytePairVocabulary.TokenKind(rawValue: type) {
      case .control, .unknown:
        added.append(.init(id: id, text: vocabulary.tokens[id], isSpecial: true))
      case .userDefined:
        added.append(.init(id: id, text: vocabulary.tokens[id]))
      case .normal, .unused, .byte:
        break
      case nil:
        throw TokenizationError(
          .malformed,
          "\(file): token \(id) has the type \(type), which GGUF does not have; the file is damaged."
        )
      }
    }
    let named = [
      ("beginning-of-text", vocabulary.bos), ("end-of-text", vocabulary.eos),
      ("unknown", vocabulary.unknown), ("padding", vocabulary.padding),
    ]
    for (name, id) in named + vocabulary.endOfText.map({ ("end-of-text", $0) }) {
      guard let id, !vocabulary.tokens.indices.contains(id) else { continue }
      throw TokenizationError(
        .malformed,
        "\(file): the \(name) token is \(id), but the vocabulary has \(vocabulary.tokens.count) "
          + "tokens; the file is damaged.")
    }
    let isText = Set(added.map(\.id))
    let model = try BytePairModel(
      tokens: vocabulary.tokens, isText: { isText.contains($0) },
      merges: .joined(vocabulary.merges), ignoresMerges: splitting.ignoresMerges, file: file)
    self.init(
      TokenizerParts(
        model: model, steps: splitting.steps, composes: splitting.composes, added: added,
        bos: vocabulary.bos, eos: vocabulary.eos, unknown: vocabulary.unknown,
        padding: vocabulary.padding, addsBOS: vocabulary.addsBOS ?? splitting.addsBOS,
        endOfText: vocabulary.endOfText, chatTemplate: chatTemplate))
  }
}

/// How the tokenizers that GGUF knows by name split a text.
private struct Splitting {
  var steps: [PreTokenizer]
  var composes = false
  var ignoresMerges = false
  var addsBOS = false

  static let names = [
    "default", "deepseek-r1-qwen", "gpt-2", "gpt2", "llama-bpe", "llama-v3", "llama3", "olmo",
    "phi-2", "qwen2", "smollm", "starcoder",
  ]

  /// The splitting of a name; files without one are old and mostly GPT-2's, which `default` stands
  /// for.
  init?(_ name: String) {
    switch name {
    case "default", "gpt-2", "gpt2", "olmo", "phi-2":
      self.init(steps: [.split(.words)])
    case "smollm", "starcoder":
      self.init(steps: [.split(.numbers(maximumDigits: 1)), .split(.words)])
    case "llama-bpe", "llama-v3", "llama3":
      self.init(
        steps: [.split(.lines(maximumDigits: 3))], ignoresMerges: true, addsBOS: true)
    case "qwen2", "deepseek-r1-qwen":
      self.init(steps: [.split(.lines(maximumDigits: 1))], composes: true)
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
