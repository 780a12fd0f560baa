/// Text to token ids and back, equal to the tokenizer the model was trained with.
///
/// Byte-level and SentencePiece-style BPE, WordPiece and Unigram, each with what prepares a text for it.
///
/// ```swift
/// let tokenizer = try Tokenizer(contentsOf: folder)      // tokenizer.json and its configuration
/// let text = tokenizer.encode("The capital of France is")
/// tokenizer.decode(text.ids)                             // "The capital of France is"
/// ```
///
/// Sources: Sennrich, Haddow, Birch 2016 (merging); Radford and others 2019 (bytes as the alphabet);
/// Schuster and Nakajima 2012 (WordPiece); Kudo 2018 (Unigram).
public struct Tokenizer: Sendable {
  /// The token that begins a text, if the model has one.
  public let bos: Int?
  /// The token that ends a text, if the model has one.
  public let eos: Int?
  /// The token for what the vocabulary cannot write, if it has one.
  public let unknown: Int?
  /// The token that fills up a batch, if the model has one.
  public let padding: Int?
  /// The token that stands where a word is to be guessed, if the model has one.
  public let mask: Int?
  /// The tokens the model expects before a single text, such as `[CLS]`.
  ///
  /// ``encode(_:specialTokens:)`` never adds them.
  public let beginning: [Int]
  /// The tokens the model expects after a single text, such as `[SEP]`; never added either.
  public let ending: [Int]
  /// Whether ``bos`` is among the tokens that begin a text.
  public var addsBOS: Bool { bos.map(beginning.contains) ?? false }
  /// Tokens that end generation: ``eos`` and the known ends of a text or a turn.
  ///
  /// Can be changed, as a model's generation settings may name others.
  public var endOfText: Set<Int>
  /// The source of the chat template that came with the tokenizer, if any.
  public let chatTemplate: String?

  private let model: TokenModel
  private let normalizing: [NormalizingStep]
  private let splitting: [PreTokenizer]
  private let decoding: [DecodingStep]
  private let rawTokens: AddedTokens
  private let normalizedTokens: AddedTokens
  private let addedTexts: [Int: String]
  private let specialIDs: Set<Int>

  /// The number of ids: one more than the largest.
  public let vocabularySize: Int

  init(_ parts: TokenizerParts) {
    model = parts.model
    normalizing = parts.normalizing
    splitting = parts.splitting
    decoding = parts.decoding
    rawTokens = AddedTokens(parts.added.filter { !$0.isNormalized })
    normalizedTokens = AddedTokens(
      parts.added.filter(\.isNormalized).map { token in
        var token = token
        token.text = String(
          decoding: NormalizingStep.apply(parts.normalizing, token.text), as: UTF8.self)
        return token
      })
    addedTexts = Dictionary(parts.added.map { ($0.id, $0.text) }) { _, last in last }
    specialIDs = Set(parts.added.lazy.filter(\.isSpecial).map(\.id))
    let roles = parts.roles
    bos = roles.bos
    eos = roles.eos
    unknown = roles.unknown
    padding = roles.padding
    mask =
      roles.mask
      ?? parts.added.last { $0.text == "[MASK]" || $0.text == "<mask>" }?.id
    beginning = roles.beginning
    ending = roles.ending
    chatTemplate = parts.chatTemplate
    vocabularySize = max(model.table.count, (addedTexts.keys.max() ?? -1) + 1)
    var ends = Set(roles.endOfText)
    if let eos = roles.eos { ends.insert(eos) }
    for token in parts.added where Self.endings.contains(Array(token.text.utf8)) {
      ends.insert(token.id)
    }
    endOfText = ends
  }

  /// Added tokens that published models end a text or a turn with.
  private static let endings: Set<[UInt8]> = Set(
    [
      "<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>",
      "<|eot|>", "<end_of_turn>", "<|end_of_turn|>", "</s>", "<eos>", "<|return|>",
    ].map { Array($0.utf8) })

  // MARK: Text to ids

  /// The tokens of a text, without the token that begins one.
  ///
  /// - Parameters:
  ///   - text: Any text.
  ///   - specialTokens: Whether the spelling of a special token, such as `<|im_end|>`, stands for the
  ///     token; otherwise it is text like any other. Tokens the vocabulary added as plain text are
  ///     always found.
  /// - Returns: Ids with their ranges of the text. Takes time linear in the length of the text but
  ///   for single words of many letters, which take n log n.
  public func encode(_ text: String, specialTokens: Bool = false) -> TokenizedText {
    switch model {
    case .pairs(let model):
      encode(text, specialTokens: specialTokens, Encoding(PieceMerger(model)))
    case .wordPieces(let model):
      encode(text, specialTokens: specialTokens, Encoding(WordPieceModel.Matcher(model: model)))
    case .unigram(let model):
      encode(text, specialTokens: specialTokens, Encoding(UnigramModel.Lattice(model)))
    }
  }

  private func encode(
    _ text: String, specialTokens: Bool, _ start: Encoding<some PieceTokenizer>
  ) -> TokenizedText {
    let source = Array(text.utf8)
    var encoding = start
    encoding.ids.reserveCapacity(source.count / 4 + 1)
    encoding.ranges.reserveCapacity(source.count / 4 + 1)
    for part in rawTokens.divide(source, 0..<source.count, special: specialTokens) {
      if let id = part.id {
        encoding.append(id, part.range)
        continue
      }
      let (working, whole) = NormalizingStep.apply(normalizing, WorkingText(source), part.range)
      for inner in normalizedTokens.divide(working.bytes, whole, special: specialTokens) {
        if let id = inner.id {
          encoding.append(id, working.place(inner.range))
        } else {
          var text = working
          let isFirst =
            part.range.lowerBound == 0 && inner.range.lowerBound == whole.lowerBound
          let pieces = PreTokenizer.pieces(splitting, of: &text, inner.range, isFirst: isFirst)
          encoding.append(pieces, of: text)
        }
      }
    }
    return TokenizedText(
      text: text, ids: encoding.ids, ranges: encoding.ranges, omitted: encoding.omitted)
  }

  // MARK: Ids to text

  /// The bytes a token stands for amid a text; none if no token has the id.
  ///
  /// A token that continues a word of WordPiece stands for its spelling, such as `##ing`.
  public func bytes(of id: Int) -> [UInt8] {
    if let text = addedTexts[id] { return Array(text.utf8) }
    guard id >= 0, id < model.table.count else { return [] }
    return Array(model.table.decoded[id])
  }

  /// The text a token stands for, with U+FFFD where its bytes are no UTF-8 by themselves.
  public func text(of id: Int) -> String { String(decoding: bytes(of: id), as: UTF8.self) }

  /// The text of tokens, special ones included, with U+FFFD where the bytes are no UTF-8.
  ///
  /// Gives back what was encoded, in the tokenizer's normal form, but for bytes that were omitted;
  /// WordPiece and Unigram keep fewer spaces than a text has.
  public func decode(_ ids: [Int]) -> String {
    guard decoding == [.byteLevel] else {
      let spellings = ids.compactMap { spelling(of: $0) }
      return String(decoding: DecodingStep.decode(decoding, spellings), as: UTF8.self)
    }
    var bytes: [UInt8] = []
    for id in ids {
      if id >= 0, id < model.table.count, addedTexts[id] == nil {
        bytes.append(contentsOf: model.table.decoded[id])
      } else {
        bytes.append(contentsOf: self.bytes(of: id))
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// A token as the vocabulary spells it.
  private func spelling(of id: Int) -> [UInt8]? {
    if let text = addedTexts[id] { return Array(text.utf8) }
    guard id >= 0, id < model.table.count else { return nil }
    return Array(model.table.spellings[id])
  }

  /// The token that stands for exactly this text, if there is one; special tokens by their spelling.
  public func id(of text: String) -> Int? {
    let bytes = Array(text.utf8)
    if let added = addedTexts.first(where: { $0.value.utf8.elementsEqual(bytes) }) {
      return added.key
    }
    if decoding.contains(.byteLevel) { return model.table.id(of: ByteAlphabet.spell(bytes)) }
    let isSpelled = decoding.contains {
      switch $0 {
      case .spaces, .replace: true
      default: false
      }
    }
    let marked = isSpelled ? text.replacing(" ", with: "\u{2581}") : text
    guard let id = model.table.id(of: Array(marked.utf8)), self.bytes(of: id) == bytes else {
      return nil
    }
    return id
  }

  /// Whether a token is special: never found in a text unless asked.
  public func isSpecial(_ id: Int) -> Bool { specialIDs.contains(id) }
}

/// What a file gives a tokenizer.
struct TokenizerParts {
  var model: TokenModel
  var normalizing: [NormalizingStep] = []
  var splitting: [PreTokenizer] = []
  var decoding: [DecodingStep]
  var added: [AddedTokens.Token]
  var roles = TokenRoles()
  var chatTemplate: String?
}

/// The tokens of a text as they are found.
private struct Encoding<Pieces: PieceTokenizer> {
  var ids: [Int] = []
  var ranges: [Range<Int>] = []
  var omitted: [Range<Int>] = []
  private var tokenizer: Pieces

  init(_ tokenizer: Pieces) { self.tokenizer = tokenizer }

  mutating func append(_ id: Int, _ range: Range<Int>) {
    ids.append(id)
    ranges.append(range)
  }

  mutating func append(_ pieces: [Range<Int>], of text: WorkingText) {
    var spans: [TokenSpan] = []
    var missing: [Range<Int>] = []
    spans.reserveCapacity(pieces.count * 5 / 4)
    text.bytes.withUnsafeBufferPointer { bytes in
      tokenizer.append(bytes, pieces, into: &spans, omitted: &missing)
    }
    for span in spans {
      append(Int(span.id), text.place(span.start..<span.end))
    }
    omitted.append(contentsOf: missing.lazy.map { text.place($0) })
  }
}
