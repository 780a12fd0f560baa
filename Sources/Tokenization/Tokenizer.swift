/// Byte-level BPE: text to token ids and back, equal to the tokenizer the model was trained with.
///
/// ```swift
/// let tokenizer = try Tokenizer(contentsOf: folder)      // tokenizer.json and its configuration
/// let text = tokenizer.encode("The capital of France is")
/// tokenizer.decode(text.ids)                             // "The capital of France is"
/// ```
///
/// Sources: Sennrich, Haddow, Birch 2016 (merging); Radford and others 2019 (bytes as the alphabet).
public struct Tokenizer: Sendable {
  /// The token that begins a text, if the model has one.
  public let bos: Int?
  /// The token that ends a text, if the model has one.
  public let eos: Int?
  /// The token for what the vocabulary cannot write, if it has one.
  public let unknown: Int?
  /// The token that fills up a batch, if the model has one.
  public let padding: Int?
  /// Whether the model expects ``bos`` before a text; ``encode(_:specialTokens:)`` never adds it.
  public let addsBOS: Bool
  /// Tokens that end generation: ``eos`` and the known ends of a text or a turn.
  ///
  /// Can be changed, as a model's generation settings may name others.
  public var endOfText: Set<Int>
  /// The source of the chat template that came with the tokenizer, if any.
  public let chatTemplate: String?

  private let model: BytePairModel
  private let steps: [PreTokenizer]
  private let composes: Bool
  private let rawTokens: AddedTokens
  private let normalizedTokens: AddedTokens
  private let addedTexts: [Int: String]
  private let specialIDs: Set<Int>

  /// The number of ids: one more than the largest.
  public let vocabularySize: Int

  init(_ parts: TokenizerParts) {
    model = parts.model
    steps = parts.steps
    composes = parts.composes
    rawTokens = AddedTokens(parts.added.filter { !$0.isNormalized })
    normalizedTokens = AddedTokens(parts.added.filter(\.isNormalized))
    addedTexts = Dictionary(parts.added.map { ($0.id, $0.text) }) { _, last in last }
    specialIDs = Set(parts.added.lazy.filter(\.isSpecial).map(\.id))
    bos = parts.bos
    eos = parts.eos
    unknown = parts.unknown
    padding = parts.padding
    addsBOS = parts.addsBOS && parts.bos != nil
    chatTemplate = parts.chatTemplate
    vocabularySize = max(model.decoded.count, (addedTexts.keys.max() ?? -1) + 1)
    var ends = Set(parts.endOfText)
    if let eos = parts.eos { ends.insert(eos) }
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
    let source = Array(text.utf8)
    var encoding = Encoding(model: model, ids: [], ranges: [], omitted: [])
    encoding.ids.reserveCapacity(source.count / 4 + 1)
    encoding.ranges.reserveCapacity(source.count / 4 + 1)
    for part in rawTokens.divide(source, 0..<source.count, special: specialTokens) {
      if let id = part.id {
        encoding.append(id, part.range)
        continue
      }
      let (working, whole) =
        composes
        ? WorkingText.composing(source, part.range) : (WorkingText(source), part.range)
      for part in normalizedTokens.divide(working.bytes, whole, special: specialTokens) {
        if let id = part.id {
          encoding.append(id, working.place(part.range))
        } else {
          var text = working
          let pieces = PreTokenizer.pieces(steps, of: &text, part.range)
          encoding.append(pieces, of: text)
        }
      }
    }
    return TokenizedText(
      text: text, ids: encoding.ids, ranges: encoding.ranges, omitted: encoding.omitted)
  }

  // MARK: Ids to text

  /// The bytes a token stands for; none if no token has the id.
  public func bytes(of id: Int) -> [UInt8] {
    if let text = addedTexts[id] { return Array(text.utf8) }
    guard id >= 0, id < model.decoded.count else { return [] }
    return Array(model.decoded[id])
  }

  /// The text a token stands for, with U+FFFD where its bytes are no UTF-8 by themselves.
  public func text(of id: Int) -> String { String(decoding: bytes(of: id), as: UTF8.self) }

  /// The text of tokens, special ones included, with U+FFFD where the bytes are no UTF-8.
  ///
  /// Gives back what was encoded, in the tokenizer's normal form, but for bytes that were omitted.
  public func decode(_ ids: [Int]) -> String {
    var bytes: [UInt8] = []
    for id in ids {
      if id >= 0, id < model.decoded.count, addedTexts[id] == nil {
        bytes.append(contentsOf: model.decoded[id])
      } else {
        bytes.append(contentsOf: self.bytes(of: id))
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The token that stands for exactly this text, if there is one; special tokens by their spelling.
  public func id(of text: String) -> Int? {
    let bytes = Array(text.utf8)
    if let added = addedTexts.first(where: { $0.value.utf8.elementsEqual(bytes) }) {
      return added.key
    }
    guard !bytes.isEmpty else { return nil }
    return ByteAlphabet.spell(bytes).withUnsafeBufferPointer { model.spellings.number(of: $0) }
  }

  /// Whether a token is special: never found in a text unless asked.
  public func isSpecial(_ id: Int) -> Bool { specialIDs.contains(id) }
}

/// What a file gives a tokenizer.
struct TokenizerParts {
  var model: BytePairModel
  var steps: [PreTokenizer]
  var composes = false
  var added: [AddedTokens.Token]
  var bos: Int?
  var eos: Int?
  var unknown: Int?
  var padding: Int?
  var addsBOS = false
  var endOfText: [Int] = []
  var chatTemplate: String?
}

/// The tokens of a text as they are found.
private struct Encoding {
  var ids: [Int]
  var ranges: [Range<Int>]
  var omitted: [Range<Int>]
  private var merger: PieceMerger

  init(model: BytePairModel, ids: [Int], ranges: [Range<Int>], omitted: [Range<Int>]) {
    self.ids = ids
    self.ranges = ranges
    self.omitted = omitted
    merger = PieceMerger(model)
  }

  mutating func append(_ id: Int, _ range: Range<Int>) {
    ids.append(id)
    ranges.append(range)
  }

  mutating func append(_ pieces: [Range<Int>], of text: WorkingText) {
    var symbols: [PieceMerger.Symbol] = []
    var missing: [Range<Int>] = []
    symbols.reserveCapacity(pieces.count * 5 / 4)
    text.bytes.withUnsafeBufferPointer { bytes in
      let length = (pieces.last?.upperBound ?? 0) - (pieces.first?.lowerBound ?? 0)
      var cache = PieceCache(textLength: length)
      for piece in pieces {
        let slot = cache?.slot(bytes, piece) ?? 0
        if cache?.append(bytes, piece, slot: slot, to: &symbols) == true { continue }
        let before = (symbols.count, missing.count)
        merger.merge(bytes, piece, into: &symbols, omitted: &missing)
        if missing.count == before.1 {
          cache?.remember(piece, slot: slot, output: before.0..<symbols.count)
        }
      }
    }
    for symbol in symbols {
      append(Int(symbol.id), text.place(symbol.start..<symbol.end))
    }
    omitted.append(contentsOf: missing.lazy.map { text.place($0) })
  }
}
