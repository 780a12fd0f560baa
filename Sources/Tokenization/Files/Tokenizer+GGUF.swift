extension Tokenizer {
  /// The tokenizer of a GGUF file.
  ///
  /// Reads vocabularies of byte-level BPE (`gpt2`), SentencePiece's BPE (`llama`) and Unigram
  /// (`t5`), and WordPiece (`bert`), with what llama.cpp takes for granted where the file is silent.
  ///
  /// - Parameters:
  ///   - values: The values of the file whose names begin with `tokenizer.`, by their whole names.
  ///   - file: What messages call the file.
  /// - Throws: What is missing or contradictory, or a kind of tokenizer that Telescope does not know.
  public init(
    gguf values: [String: VocabularyValue], file: String = "vocabulary"
  ) throws(TokenizationError) {
    let fields = VocabularyFields(values: values, file: file)
    var chatTemplate: String?
    if case .text(let source)? = values["tokenizer.chat_template"] { chatTemplate = source }
    switch try fields.text("model") {
    case "gpt2":
      try self.init(
        vocabulary: try fields.bytePairs(), chatTemplate: chatTemplate, file: file)
    case "llama":
      try self.init(
        vocabulary: try fields.scoredPairs(), chatTemplate: chatTemplate, file: file)
    case "t5":
      try self.init(vocabulary: try fields.unigram(), chatTemplate: chatTemplate, file: file)
    case "bert":
      try self.init(vocabulary: try fields.wordPieces(), file: file)
    case let kind:
      throw TokenizationError(
        .unsupported,
        "\(file): its tokenizer is '\(printable(kind ?? "absent"))'; Telescope reads 'gpt2', "
          + "'llama', 't5' and 'bert' from GGUF files.")
    }
  }
}

extension VocabularyFields {
  /// Byte-level BPE.
  fileprivate func bytePairs() throws(TokenizationError) -> BytePairVocabulary {
    let tokens = try needed("tokens")
    let roles = try roles(count: tokens.count)
    return BytePairVocabulary(
      tokens: tokens, merges: try needed("merges"), tokenTypes: try integers("token_type") ?? [],
      preTokenizer: try text("pre") ?? "default", bos: roles.bos, eos: roles.eos,
      unknown: roles.unknown, padding: roles.padding, endOfText: roles.endOfText,
      mask: roles.mask, addsBOS: try boolean("add_bos_token"),
      addsEOS: try boolean("add_eos_token"))
  }

  /// SentencePiece's BPE, which merges by score.
  fileprivate func scoredPairs() throws(TokenizationError) -> ScoredPairVocabulary {
    let tokens = try needed("tokens")
    var roles = try roles(count: tokens.count, bos: 1, eos: 2, unknown: 0)
    try add(to: &roles, bos: true, eos: false)
    return ScoredPairVocabulary(
      tokens: tokens, scores: try scores(count: tokens.count),
      tokenTypes: try integers("token_type") ?? [],
      text: SentencePieceText(
        prefix: try boolean("add_space_prefix") ?? true ? .always : .never), roles: roles)
  }

  /// SentencePiece's Unigram.
  fileprivate func unigram() throws(TokenizationError) -> UnigramVocabulary {
    let tokens = try needed("tokens")
    var roles = try roles(count: tokens.count, eos: 1, unknown: 2, padding: 0)
    try add(to: &roles, bos: false, eos: true)
    return UnigramVocabulary(
      tokens: tokens, scores: try scores(count: tokens.count),
      tokenTypes: try integers("token_type") ?? [],
      text: SentencePieceText(
        characterMap: try bytes("precompiled_charsmap"),
        prefix: try boolean("add_space_prefix") ?? false ? .always : .never,
        removesExtraSpaces: try boolean("remove_extra_whitespaces") ?? false), roles: roles)
  }

  /// WordPiece, whose words GGUF files mark at their beginning, where BERT marks what goes on.
  fileprivate func wordPieces() throws(TokenizationError) -> WordPieceVocabulary {
    let marked = try needed("tokens")
    var roles = try roles(count: marked.count, unknown: 100, padding: 0)
    roles.bos = try token("cls_token_id", count: marked.count) ?? roles.bos ?? 101
    roles.eos = try token("seperator_token_id", count: marked.count) ?? roles.eos ?? 102
    roles.mask = try token("mask_token_id", count: marked.count) ?? 103
    for id in [roles.bos, roles.eos, roles.mask, roles.unknown].compactMap({ $0 }) {
      guard id < marked.count else {
        throw damaged("the file names no special tokens, and BERT's are beyond its vocabulary")
      }
    }
    try add(to: &roles, bos: true, eos: true)
    let tokens = marked.map { token in
      if token.hasPrefix("["), token.hasSuffix("]"), token.utf8.count > 1 { return token }
      guard token.utf8.starts(with: "▁".utf8) else { return "##" + token }
      return String(decoding: token.utf8.dropFirst("▁".utf8.count), as: UTF8.self)
    }
    let lowercases = try boolean("normalizer.lowercase") ?? true
    return WordPieceVocabulary(
      tokens: tokens, tokenTypes: try integers("token_type") ?? [],
      text: WordPieceVocabulary.Preparation(
        stripsAccents: try boolean("normalizer.strip_accents"), lowercases: lowercases),
      roles: roles)
  }

  /// The tokens with a role, with those that stand for them where the file is silent.
  private func roles(
    count: Int, bos: Int? = nil, eos: Int? = nil, unknown: Int? = nil, padding: Int? = nil
  ) throws(TokenizationError) -> TokenRoles {
    func token(_ name: String, _ standard: Int?) throws(TokenizationError) -> Int? {
      try self.token(name, count: count) ?? standard.flatMap { $0 < count ? $0 : nil }
    }
    var roles = TokenRoles()
    roles.bos = try token("bos_token_id", bos)
    roles.eos = try token("eos_token_id", eos)
    roles.unknown = try token("unknown_token_id", unknown)
    roles.padding = try token("padding_token_id", padding)
    roles.mask = try token("mask_token_id", nil)
    for name in ["eot_token_id", "eom_token_id"] {
      if let id = try token(name, nil) { roles.endOfText.append(id) }
    }
    return roles
  }

  /// Says which tokens the model expects around a text.
  private func add(
    to roles: inout TokenRoles, bos: Bool, eos: Bool
  ) throws(TokenizationError) {
    if try boolean("add_bos_token") ?? bos { roles.beginning = roles.bos.map { [$0] } ?? [] }
    let isSeparated = try boolean("add_sep_token") ?? false
    if try boolean("add_eos_token") ?? (eos || isSeparated) {
      roles.ending = roles.eos.map { [$0] } ?? []
    }
  }
}
