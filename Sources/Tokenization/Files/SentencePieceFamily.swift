import StrictJSON

/// How a family of models uses its SentencePiece model: which ids its pieces get, which tokens it
/// adds, and what it does to a text before.
///
/// A `tokenizer.json` spells all this out; a folder with nothing but the model file leaves it to the
/// class that `tokenizer_config.json` names.
enum SentencePieceFamily: Sendable {
  /// The pieces as they are.
  case plain
  /// The pieces, with a token before every text (Llama, Mistral, Gemma).
  case decoder
  /// T5: sentinels after the pieces, the last first.
  case t5
  /// XLM-RoBERTa: four tokens in front in another order, and a mask behind.
  case xlmRoberta
  /// CamemBERT: five tokens in front, three of them never used, and a mask behind.
  case camembert
  /// ALBERT: letters lowered, accents dropped, numbers apart from the comma behind them.
  case albert
  /// DeBERTa v2 and v3: a mask behind.
  case deberta

  /// The family of a class of Hugging Face transformers, whether the fast or the slow one.
  init?(className: String) {
    let name = className.hasSuffix("Fast") ? String(className.dropLast(4)) : className
    switch name {
    case "PreTrainedTokenizer", "TokenizersBackend": self = .plain
    case "LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer": self = .decoder
    case "T5Tokenizer": self = .t5
    case "XLMRobertaTokenizer": self = .xlmRoberta
    case "CamembertTokenizer": self = .camembert
    case "AlbertTokenizer": self = .albert
    case "DebertaV2Tokenizer": self = .deberta
    default: return nil
    }
  }

  /// The family of a model by the `model_type` of its `config.json`.
  init?(modelType: String) {
    switch modelType {
    case "gemma", "gemma2", "gemma3", "gemma3_text", "llama", "mistral", "mixtral", "phi3":
      self = .decoder
    case "switch_transformers", "t5": self = .t5
    case "xlm-roberta": self = .xlmRoberta
    case "camembert": self = .camembert
    case "albert": self = .albert
    case "deberta-v2": self = .deberta
    default: return nil
    }
  }

  static let known =
    "AlbertTokenizer, CamembertTokenizer, CodeLlamaTokenizer, DebertaV2Tokenizer, GemmaTokenizer, "
    + "LlamaTokenizer, PreTrainedTokenizer, T5Tokenizer and XLMRobertaTokenizer"
}

/// The tokens of a family by id.
struct SentencePieceTokens {
  private(set) var texts: [String] = []
  private(set) var scores: [Double] = []
  private(set) var kinds: [TokenKind] = []
  var roles = TokenRoles()

  private mutating func add(_ text: String, _ kind: TokenKind, score: Double = 0) {
    texts.append(text)
    scores.append(score)
    kinds.append(kind)
  }

  private mutating func add(_ pieces: Range<Int>, of model: SentencePieceModel) {
    texts += model.pieces[pieces]
    scores += model.scores[pieces]
    kinds += model.kinds[pieces]
  }

  /// The id of a token by its spelling.
  func id(of text: String) -> Int? {
    texts.firstIndex { $0.utf8.elementsEqual(text.utf8) }
  }

  /// Numbers the pieces of a model as a family does.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - family: The family.
  ///   - settings: `tokenizer_config.json`.
  ///   - file: What messages call the model.
  /// - Throws: A model that is not the family's, or a setting that Telescope does not know.
  init(
    _ model: SentencePieceModel, _ family: SentencePieceFamily, _ settings: JSON, file: String
  ) throws(TokenizationError) {
    let count = model.pieces.count
    switch family {
    case .plain, .decoder, .albert:
      add(0..<count, of: model)
    case .deberta:
      add(0..<count, of: model)
      if id(of: "[MASK]") == nil { add("[MASK]", .control) }
    case .t5:
      add(0..<count, of: model)
      let extra = settings["extra_ids"]?.integer ?? 100
      guard (0...10_000).contains(extra) else {
        throw TokenizationError(
          .malformed,
          "tokenizer_config.json: 'extra_ids' is \(extra), not from 0 to 10000; the file is damaged."
        )
      }
      for number in (0..<extra).reversed() { add("<extra_id_\(number)>", .control) }
    case .xlmRoberta:
      try Self.check(model, begins: ["<unk>", "<s>", "</s>"], "XLM-RoBERTa", file)
      for text in ["<s>", "<pad>", "</s>"] { add(text, .control) }
      add("<unk>", .unknown)
      add(3..<count, of: model)
      add("<mask>", .control)
    case .camembert:
      try Self.check(model, begins: ["<unk>", "<s>", "</s>"], "CamemBERT", file)
      for text in ["<s>NOTUSED", "<pad>", "</s>NOTUSED"] { add(text, .unused) }
      kinds[1] = .control
      add("<unk>", .unknown)
      add("<unk>NOTUSED", .unused)
      add(1..<count, of: model)
      add("<mask>", .control)
    }
    if model.kind == .unigram { scorePiecesAddedByHand() }
    if family == .albert { lowerPiecesWithCommas() }
    setRoles(model, family)
  }

  private static func check(
    _ model: SentencePieceModel, begins pieces: [String], _ family: String, _ file: String
  ) throws(TokenizationError) {
    let first = model.pieces.prefix(pieces.count)
    guard first.elementsEqual(pieces, by: { $0.utf8.elementsEqual($1.utf8) }) else {
      throw TokenizationError(
        .unsupported,
        "\(file): \(family) counts on \(pieces.joined(separator: ", ")) as the first pieces, but "
          + "they are \(first.map { printable($0) }.joined(separator: ", ")); use the model's "
          + "tokenizer.json.")
    }
  }

  /// Unigram does not set apart the pieces added by hand: they compete with a score for each byte that
  /// no other piece exceeds, less a little so that other pieces win a tie.
  private mutating func scorePiecesAddedByHand() {
    let best = zip(scores, kinds).filter { $0.1 == .normal }.map(\.0).max() ?? 0
    for id in texts.indices where kinds[id] == .userDefined {
      scores[id] = Double(texts[id].utf8.count) * best - 0.1
      kinds[id] = .normal
    }
  }

  /// ALBERT takes no piece that ends in a digit and a comma where it can do without.
  private mutating func lowerPiecesWithCommas() {
    for id in texts.indices {
      let end = texts[id].unicodeScalars.suffix(2)
      if end.count == 2, end.last == ",", end.first!.properties.numericType == .decimal {
        scores[id] -= 100
      }
    }
  }

  private mutating func setRoles(_ model: SentencePieceModel, _ family: SentencePieceFamily) {
    roles.unknown = kinds.firstIndex(of: .unknown)
    switch family {
    case .plain, .decoder, .t5:
      let own = model.roles
      roles.bos = own.bos
      roles.eos = own.eos
      roles.padding = own.padding
    case .xlmRoberta, .camembert:
      (roles.bos, roles.eos) = (id(of: "<s>"), id(of: "</s>"))
      (roles.padding, roles.mask) = (id(of: "<pad>"), id(of: "<mask>"))
    case .albert, .deberta:
      (roles.bos, roles.eos) = (id(of: "[CLS]"), id(of: "[SEP]"))
      (roles.padding, roles.mask) = (id(of: "<pad>") ?? id(of: "[PAD]"), id(of: "[MASK]"))
    }
    if family != .plain, family != .t5 { roles.beginning = roles.bos.map { [$0] } ?? [] }
    if family != .plain, family != .decoder { roles.ending = roles.eos.map { [$0] } ?? [] }
  }
}
