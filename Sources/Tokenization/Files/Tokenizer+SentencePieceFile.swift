import StrictJSON

extension Tokenizer {
  /// A tokenizer from a SentencePiece model, such as `tokenizer.model` or `spiece.model`.
  ///
  /// The ids are those of the family that the model belongs to, which may shift those of the file.
  ///
  /// - Parameters:
  ///   - bytes: The bytes of the model.
  ///   - configuration: The bytes of `tokenizer_config.json`, which names the class of the tokenizer.
  ///   - modelType: The `model_type` of the model's `config.json`, which tells the family where the
  ///     configuration does not.
  ///   - specialTokens: The bytes of `special_tokens_map.json`.
  ///   - chatTemplate: The source of the chat template, where it lies in a file of its own.
  ///   - file: What messages call the model.
  /// - Throws: What is damaged or contradictory, a family whose ids Telescope does not know, or a
  ///   setting that it does not.
  public init(
    sentencePiece bytes: some Collection<UInt8>,
    configuration: (some Collection<UInt8>)? = [UInt8]?.none, modelType: String? = nil,
    specialTokens: (some Collection<UInt8>)? = [UInt8]?.none, chatTemplate: String? = nil,
    file: String = "tokenizer.model"
  ) throws(TokenizationError) {
    let name = "tokenizer_config.json"
    let settings = try configuration.map { (bytes) throws(TokenizationError) in
      TokenizerSettings(file: name, root: try Self.parse(bytes, name))
    }
    let root = settings?.root ?? .null
    let model = try SentencePieceModel(bytes, file: file)
    let family = try Self.family(root, modelType, file)
    let tokens = try SentencePieceTokens(model, family, root, file: file)
    var parts = try Self.parts(model, tokens, family, root, file)
    try root.addTokens(to: &parts, count: tokens.texts.count)
    func id(_ text: String, _ parts: TokenizerParts) -> Int? {
      parts.added.last { $0.text.utf8.elementsEqual(text.utf8) }?.id ?? tokens.id(of: text)
    }
    if let specialTokens {
      let name = "special_tokens_map.json"
      let settings = TokenizerSettings(file: name, root: try Self.parse(specialTokens, name))
      try settings.apply(to: &parts, id: id)
    }
    try settings?.apply(to: &parts, id: id)
    if let chatTemplate { parts.chatTemplate = chatTemplate }
    self.init(parts)
  }

  private static func family(
    _ root: JSON, _ modelType: String?, _ file: String
  ) throws(TokenizationError) -> SentencePieceFamily {
    if let name = root["tokenizer_class"]?.string {
      if let family = SentencePieceFamily(className: name) { return family }
      throw TokenizationError(
        .unsupported,
        "tokenizer_config.json: the ids that '\(printable(name))' gives the pieces of \(file) are "
          + "not known to Telescope; it knows those of \(SentencePieceFamily.known). Use the model's "
          + "tokenizer.json.")
    }
    guard let modelType else { return .plain }
    if let family = SentencePieceFamily(modelType: modelType) { return family }
    throw TokenizationError(
      .unsupported,
      "config.json: the ids that a model of the type '\(printable(modelType))' gives the pieces of "
        + "\(file) are not known to Telescope; use the model's tokenizer.json.")
  }

  private static func parts(
    _ model: SentencePieceModel, _ tokens: SentencePieceTokens, _ family: SentencePieceFamily,
    _ root: JSON, _ file: String
  ) throws(TokenizationError) -> TokenizerParts {
    var text = model.text
    if root["add_prefix_space"]?.boolean == false { text.prefix = .never }
    if root["legacy"]?.boolean == false, text.prefix == .always { text.prefix = .first }
    let types = tokens.kinds.map(\.rawValue)
    var parts =
      switch model.kind {
      case .unigram:
        try TokenizerParts(
          UnigramVocabulary(
            tokens: tokens.texts, scores: tokens.scores, tokenTypes: types, text: text,
            usesByteFallback: model.usesByteFallback, roles: tokens.roles),
          chatTemplate: nil, file: file)
      default:
        try TokenizerParts(
          ScoredPairVocabulary(
            tokens: tokens.texts, scores: tokens.scores, tokenTypes: types, text: text,
            usesByteFallback: model.usesByteFallback, roles: tokens.roles),
          chatTemplate: nil, file: file)
      }
    parts.normalizing.insert(contentsOf: try family.preparation(root), at: 0)
    // A mask stands for a word with the space before it.
    for index in parts.added.indices where parts.added[index].id == tokens.roles.mask {
      parts.added[index].takesSpaceBefore = true
    }
    return parts
  }
}

extension SentencePieceFamily {
  /// What is done to a text before the model's own preparation.
  fileprivate func preparation(_ root: JSON) throws(TokenizationError) -> [NormalizingStep] {
    switch self {
    case .albert:
      var steps: [NormalizingStep] = [
        .replace(TextPattern(text: "``"), with: [0x22]),
        .replace(TextPattern(text: "''"), with: [0x22]),
      ]
      if root["keep_accents"]?.boolean != true {
        steps += [.form(.compatibilityDecomposed), .dropMarks]
      }
      if root["do_lower_case"]?.boolean != false { steps.append(.lowercase) }
      return steps
    case .deberta:
      guard root["split_by_punct"]?.boolean != true else {
        throw TokenizationError(
          .unsupported,
          "tokenizer_config.json: 'split_by_punct' is not a setting that Telescope knows with a "
            + "SentencePiece model; use the model's tokenizer.json.")
      }
      return root["do_lower_case"]?.boolean == true ? [.lowercase] : []
    default:
      return []
    }
  }
}

extension JSON {
  /// Adds the tokens of `added_tokens_decoder`; one with the id of a piece takes its place.
  fileprivate func addTokens(
    to parts: inout TokenizerParts, count: Int
  ) throws(TokenizationError) {
    func damaged(_ what: String) -> TokenizationError {
      TokenizationError(
        .malformed, "tokenizer_config.json: \(what); the file is damaged or not a tokenizer's.")
    }
    guard let value = self["added_tokens_decoder"], !value.isNull else { return }
    guard let members = value.members else {
      throw damaged("'added_tokens_decoder' is \(value.kind), not an object")
    }
    let limit = TokenizerFile.limit(count)
    var added: [AddedTokens.Token] = []
    for member in members {
      guard let id = Int(member.key), (0..<limit).contains(id),
        let text = member.value["content"]?.string
      else {
        throw damaged(
          "the added token '\(printable(member.key))' has no 'content' or is no id below \(limit)")
      }
      func flag(_ key: String) -> Bool { member.value[key]?.boolean ?? false }
      added.append(
        AddedTokens.Token(
          id: id, text: text, isSpecial: flag("special"), isWord: flag("single_word"),
          takesSpaceBefore: flag("lstrip"), takesSpaceAfter: flag("rstrip"),
          isNormalized: flag("normalized")))
    }
    let ids = Set(added.map(\.id))
    parts.added.removeAll { ids.contains($0.id) }
    parts.added += added
  }
}
