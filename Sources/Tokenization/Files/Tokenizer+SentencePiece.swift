extension Tokenizer {
  /// A tokenizer over the plain values of a Unigram vocabulary.
  ///
  /// - Parameters:
  ///   - vocabulary: Tokens, scores and how a text is prepared.
  ///   - chatTemplate: The source of the model's chat template, if it has one.
  ///   - file: What messages call the source.
  /// - Throws: What is contradictory or damaged.
  public init(
    vocabulary: UnigramVocabulary, chatTemplate: String? = nil, file: String = "vocabulary"
  ) throws(TokenizationError) {
    self.init(try TokenizerParts(vocabulary, chatTemplate: chatTemplate, file: file))
  }

  /// A tokenizer over the plain values of a BPE vocabulary with scores.
  ///
  /// - Parameters:
  ///   - vocabulary: Tokens, scores and how a text is prepared.
  ///   - chatTemplate: The source of the model's chat template, if it has one.
  ///   - file: What messages call the source.
  /// - Throws: What is contradictory or damaged.
  public init(
    vocabulary: ScoredPairVocabulary, chatTemplate: String? = nil, file: String = "vocabulary"
  ) throws(TokenizationError) {
    self.init(try TokenizerParts(vocabulary, chatTemplate: chatTemplate, file: file))
  }

  /// A tokenizer over the plain values of a WordPiece vocabulary.
  ///
  /// - Parameters:
  ///   - vocabulary: Tokens and how a text is prepared.
  ///   - file: What messages call the source.
  /// - Throws: What is missing, contradictory or damaged.
  public init(
    vocabulary: WordPieceVocabulary, file: String = "vocabulary"
  ) throws(TokenizationError) {
    let kinds = try TokenKinds(
      vocabulary.tokens, vocabulary.tokenTypes, roles: vocabulary.roles, file: file)
    guard let unknown = vocabulary.roles.unknown else {
      throw TokenizationError(
        .malformed,
        "\(file): a WordPiece vocabulary needs an unknown token and none is named; the file is "
          + "damaged.")
    }
    let table = try TokenTable(
      vocabulary.tokens, isText: { _ in true }, file: file, decode: { _, _ in false })
    let model = try WordPieceModel(
      table, isText: { kinds[$0] != .normal && kinds[$0] != .userDefined },
      prefix: vocabulary.continuationPrefix, longestWord: vocabulary.longestWord,
      unknown: unknown, file: file)
    self.init(
      TokenizerParts(
        model: .wordPieces(model), normalizing: NormalizingStep.bert(vocabulary.text),
        splitting: [.bert],
        decoding: [
          .wordPiece(prefix: Array(vocabulary.continuationPrefix.utf8), cleansUp: true)
        ],
        added: kinds.added, roles: vocabulary.roles))
  }
}

extension TokenizerParts {
  /// What a vocabulary gives a tokenizer.
  init(
    _ vocabulary: UnigramVocabulary, chatTemplate: String?, file: String
  ) throws(TokenizationError) {
    try self.init(
      tokens: vocabulary.tokens, types: vocabulary.tokenTypes, text: vocabulary.text,
      usesByteFallback: vocabulary.usesByteFallback, roles: vocabulary.roles,
      chatTemplate: chatTemplate, file: file
    ) { table, kinds throws(TokenizationError) in
      .unigram(
        try UnigramModel(
          table, scores: vocabulary.scores,
          isText: { kinds[$0] != .normal && kinds[$0] != .userDefined },
          unknown: vocabulary.roles.unknown, usesByteFallback: vocabulary.usesByteFallback,
          file: file))
    }
  }

  /// What a vocabulary gives a tokenizer.
  init(
    _ vocabulary: ScoredPairVocabulary, chatTemplate: String?, file: String
  ) throws(TokenizationError) {
    try self.init(
      tokens: vocabulary.tokens, types: vocabulary.tokenTypes, text: vocabulary.text,
      usesByteFallback: vocabulary.usesByteFallback, roles: vocabulary.roles,
      chatTemplate: chatTemplate, file: file
    ) { table, kinds throws(TokenizationError) in
      var model = try PairModel(
        characters: table, scores: vocabulary.scores,
        isMade: { kinds[$0] == .normal || kinds[$0] == .userDefined }, file: file)
      model.unknown = vocabulary.roles.unknown.map { UInt32($0) }
      model.fusesUnknown = vocabulary.fusesUnknown
      if vocabulary.usesByteFallback { model.fallback = table.byteTokens() }
      return .pairs(model)
    }
  }

  /// What all vocabularies with SentencePiece's text share; `make` divides the text.
  private init(
    tokens: [String], types: [Int], text: SentencePieceText, usesByteFallback: Bool,
    roles: TokenRoles, chatTemplate: String?, file: String,
    make: (TokenTable, TokenKinds) throws(TokenizationError) -> TokenModel
  ) throws(TokenizationError) {
    let kinds = try TokenKinds(tokens, types, roles: roles, file: file)
    let decoding = text.decoding(usesByteFallback: usesByteFallback)
    let table = try TokenTable(
      tokens, isText: { !kinds.isSpelled($0) }, file: file, decode: DecodingStep.reader(decoding))
    let model = try make(table, kinds)
    self.init(
      model: model, normalizing: try text.normalizing(file), splitting: text.splitting,
      decoding: decoding, added: kinds.added, roles: roles, chatTemplate: chatTemplate)
  }
}

extension TokenKinds {
  /// Whether the spelling of a token is to be read, and is not its text as it stands.
  fileprivate func isSpelled(_ id: Int) -> Bool {
    switch self[id] {
    case .normal, .userDefined, .byte: true
    case .unknown, .control, .unused: false
    }
  }
}

extension SentencePieceText {
  fileprivate func normalizing(_ file: String) throws(TokenizationError) -> [NormalizingStep] {
    var steps: [NormalizingStep] = []
    if !characterMap.isEmpty {
      steps.append(
        .characterMap(try CharacterMap(characterMap, matching: .longest, file: file)))
    }
    if removesExtraSpaces { steps.append(.collapseSpaces) }
    return steps
  }

  fileprivate var splitting: [PreTokenizer] {
    [.spaces(as: SentencePiece.space, prefix: prefix, splits: false, doubles: true)]
  }

  fileprivate func decoding(usesByteFallback: Bool) -> [DecodingStep] {
    let bytes: [DecodingStep] = usesByteFallback ? [.byteFallback] : []
    let spaces = TextPattern(text: "\u{2581}")
    let start: [DecodingStep] =
      prefix == .never ? [] : [.strip([0x20], start: 1, end: 0)]
    return [.replace(spaces, with: [0x20])] + bytes + [.fuse] + start
  }
}
