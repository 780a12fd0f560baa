import StrictJSON

/// The model of a `tokenizer.json`, given the steps around it.
struct ModelReader {
  let reader: TokenizerFile
  /// The object `model`.
  let value: JSON
  let vocabulary: VocabularyReader
  let added: [AddedTokens.Token]
  /// Whether the text reaches the model in the byte-level alphabet.
  let isByteLevel: Bool
  /// The steps of the decoder, if the file has one.
  let decoding: [DecodingStep]?

  func parts() throws(TokenizationError) -> TokenizerParts {
    switch try kind() {
    case "BPE": try pairs()
    case "WordPiece": try wordPieces()
    case "Unigram": try unigram()
    case let other:
      throw reader.unsupported("model", other, known: "BPE, Unigram and WordPiece")
    }
  }

  /// The type; files of older versions do not say it.
  private func kind() throws(TokenizationError) -> String {
    if let kind = value["type"]?.string { return kind }
    if value["merges"] != nil { return "BPE" }
    if value["unk_id"] != nil { return "Unigram" }
    return value["continuing_subword_prefix"] != nil ? "WordPiece" : "without a type"
  }

  // MARK: BPE

  private func pairs() throws(TokenizationError) -> TokenizerParts {
    try refuse("dropout", unless: { $0.double == 0 })
    try refuse("continuing_subword_prefix", unless: { $0.string == "" })
    try refuse("end_of_word_suffix", unless: { $0.string == "" })
    guard vocabulary.scores.isEmpty else {
      throw reader.malformed("'model.vocab' is missing or not an object")
    }
    let usesFallback = try reader.flag(value, "byte_fallback") ?? false
    let ignoresMerges = try reader.flag(value, "ignore_merges") ?? false
    let isAdded = Set(added.map(\.id))
    var model: PairModel
    let decoding: [DecodingStep]
    if isByteLevel {
      decoding = self.decoding ?? [.byteLevel]
      guard decoding == [.byteLevel] else {
        throw reader.unsupported(
          "decoder", "other than ByteLevel", known: "ByteLevel where the pre_tokenizer has it")
      }
      let table = try table(decoding, isAdded)
      model = try PairModel(
        bytes: table, isText: { isAdded.contains($0) }, merges: try merges(),
        ignoresMerges: ignoresMerges, file: reader.file)
      // With a token for every byte nothing is left to fall back for.
      if case .bytes(let tokens) = model.alphabet, tokens.contains(PairModel.absent) {
        try refuse("byte_fallback", unless: { $0.boolean == false })
      }
    } else {
      decoding =
        self.decoding ?? [
          .replace(TextPattern(text: "\u{2581}"), with: [0x20]), .byteFallback, .fuse,
        ]
      let table = try table(decoding, isAdded)
      model = try PairModel(
        characters: table, merges: try merges(), ignoresMerges: ignoresMerges,
        file: reader.file)
      if usesFallback { model.fallback = table.byteTokens() }
    }
    model.fusesUnknown = try reader.flag(value, "fuse_unk") ?? false
    var parts = TokenizerParts(model: .pairs(model), decoding: decoding, added: added)
    if let unknown = value["unk_token"], !unknown.isNull {
      let id = try self.unknown(unknown, parts)
      parts.roles.unknown = id
      model.unknown = UInt32(id)
      parts.model = .pairs(model)
    }
    return parts
  }

  private func merges() throws(TokenizationError) -> MergeList {
    guard let entries = value["merges"]?.array else {
      throw reader.malformed("'model.merges' is missing or not an array")
    }
    if entries.first?.string != nil {
      var merges: [String] = []
      merges.reserveCapacity(entries.count)
      for (rank, entry) in entries.enumerated() {
        guard let merge = entry.string else {
          throw reader.malformed("merge \(rank) is \(entry.kind)")
        }
        merges.append(merge)
      }
      return .joined(merges)
    }
    var merges: [(left: String, right: String)] = []
    merges.reserveCapacity(entries.count)
    for (rank, entry) in entries.enumerated() {
      guard let pair = entry.array, pair.count == 2, let left = pair[0].string,
        let right = pair[1].string
      else { throw reader.malformed("merge \(rank) is not two tokens") }
      merges.append((left, right))
    }
    return .pairs(merges)
  }

  private func refuse(
    _ key: String, unless isHarmless: (JSON) -> Bool
  ) throws(TokenizationError) {
    guard let value = value[key], !value.isNull, !isHarmless(value) else { return }
    throw reader.unsupported("model", "BPE with '\(key)'", known: "BPE without it")
  }

  // MARK: WordPiece

  private func wordPieces() throws(TokenizationError) -> TokenizerParts {
    try refuseBytes("WordPiece")
    let prefix =
      value["continuing_subword_prefix"] == nil
      ? "##" : try reader.text(value, "continuing_subword_prefix", "model")
    let longest = value["max_input_chars_per_word"].map(\.integer) ?? 100
    guard let longest, longest >= 0 else {
      throw reader.malformed("'model.max_input_chars_per_word' is not a whole number")
    }
    let decoding =
      self.decoding ?? [.wordPiece(prefix: Array(prefix.utf8), cleansUp: true)]
    let isAdded = Set(added.map(\.id))
    let table = try table(decoding, isAdded)
    let text = value["unk_token"]?.string ?? "[UNK]"
    guard let unknown = added.last(where: { $0.text == text })?.id ?? table.id(of: Array(text.utf8))
    else {
      throw reader.malformed("the unknown token 'unk_token' is not in the vocabulary")
    }
    let special = Set(added.lazy.filter(\.isSpecial).map(\.id))
    let model = try WordPieceModel(
      table, isText: { special.contains($0) }, prefix: prefix, longestWord: longest,
      unknown: unknown, file: reader.file)
    var parts = TokenizerParts(model: .wordPieces(model), decoding: decoding, added: added)
    parts.roles.unknown = unknown
    return parts
  }

  // MARK: Unigram

  private func unigram() throws(TokenizationError) -> TokenizerParts {
    try refuseBytes("Unigram")
    guard vocabulary.scores.count == vocabulary.count else {
      throw reader.malformed("'model.vocab' is not a list of tokens with scores")
    }
    var unknown: Int?
    if let id = value["unk_id"], !id.isNull {
      guard let id = id.integer, id >= 0, id < vocabulary.count else {
        throw reader.malformed("'model.unk_id' is not the id of a token")
      }
      unknown = id
    }
    let usesFallback = try reader.flag(value, "byte_fallback") ?? false
    let decoding = self.decoding ?? [.spaces(mark: SentencePiece.space, dropsFirst: true)]
    let isAdded = Set(added.map(\.id))
    let table = try table(decoding, isAdded)
    let special = Set(added.lazy.filter(\.isSpecial).map(\.id))
    let model = try UnigramModel(
      table, scores: vocabulary.scores,
      isText: {
        special.contains($0) || $0 == unknown
          || usesFallback && SentencePiece.byte(table.spellings[$0]) != nil
      }, unknown: unknown, usesByteFallback: usesFallback, file: reader.file)
    var parts = TokenizerParts(model: .unigram(model), decoding: decoding, added: added)
    parts.roles.unknown = unknown
    return parts
  }

  // MARK: What the models share

  private func table(
    _ decoding: [DecodingStep], _ isAdded: Set<Int>
  ) throws(TokenizationError) -> TokenTable {
    // A token that is added too is spelled out there, not in the alphabet.
    try TokenTable(
      vocabulary.tokens, isText: { isAdded.contains($0) }, file: reader.file,
      decode: DecodingStep.reader(decoding))
  }

  private func unknown(
    _ value: JSON, _ parts: TokenizerParts
  ) throws(TokenizationError) -> Int {
    guard let text = value.string, let id = reader.id(of: text, parts) else {
      throw reader.malformed("the unknown token 'unk_token' is not in the vocabulary")
    }
    return id
  }

  private func refuseBytes(_ kind: String) throws(TokenizationError) {
    guard isByteLevel else { return }
    throw reader.unsupported("pre_tokenizer", "ByteLevel before \(kind)", known: "it before BPE")
  }
}
