/// What a SentencePiece model file (`tokenizer.model`, `spiece.model`) says.
///
/// The ids here are those of the file; some families shift them (``Tokenizer`` knows which).
/// Source: Kudo, Richardson 2018; the file is a `ModelProto` of the SentencePiece project.
public struct SentencePieceModel: Sendable {
  /// How a text is divided into pieces.
  public enum Kind: Int, Sendable {
    /// By the greatest sum of scores.
    case unigram = 1
    /// By merging pairs.
    case bytePairs = 2
    /// At spaces.
    case words = 3
    /// Into characters.
    case characters = 4
  }

  /// How a text is divided.
  public private(set) var kind = Kind.unigram
  /// The pieces by id, with `▁` for a space.
  public private(set) var pieces: [String] = []
  /// The score of each piece.
  public private(set) var scores: [Double] = []
  /// What each piece is for.
  public private(set) var kinds: [TokenKind] = []
  /// Whether a character without a piece is written as its bytes.
  public private(set) var usesByteFallback = false
  /// How a text is prepared.
  public private(set) var text = SentencePieceText(removesExtraSpaces: true)
  /// The piece that begins a text, by its spelling.
  public private(set) var bosPiece = "<s>"
  /// The piece that ends a text, by its spelling.
  public private(set) var eosPiece = "</s>"
  /// The piece that fills up a batch, by its spelling.
  public private(set) var paddingPiece = "<pad>"

  private let file: String

  /// Reads a model.
  ///
  /// - Parameters:
  ///   - bytes: The bytes of the file.
  ///   - file: What messages call it.
  /// - Throws: What is damaged, or a setting that Telescope does not know.
  public init(
    _ bytes: some Collection<UInt8>, file: String = "tokenizer.model"
  ) throws(TokenizationError) {
    self.file = file
    let bytes = Array(bytes)
    do {
      var reader = ProtobufReader(bytes, 0..<bytes.count)
      while let (field, value) = try reader.next() {
        switch (field, value) {
        case (1, .bytes(let range)): try readPiece(bytes, range)
        case (2, .bytes(let range)): try readTraining(bytes, range)
        case (3, .bytes(let range)): try readNormalizing(bytes, range)
        // What the model was tested with, and how texts are changed on their way back, which no
        // model of these families does.
        case (4, .bytes), (5, .bytes), (200..., _): break
        default: throw ProtobufReader.Damage()
        }
      }
    } catch let error as TokenizationError {
      throw error
    } catch {
      throw damaged("the bytes are no SentencePiece model")
    }
    try check()
  }

  private func damaged(_ what: String) -> TokenizationError {
    TokenizationError(
      .malformed, "\(file): \(what); the file is damaged or of another kind of tokenizer.")
  }

  private func unsupported(_ what: String) -> TokenizationError {
    TokenizationError(
      .unsupported,
      "\(file): the model \(what), which Telescope does not read; use the model's tokenizer.json.")
  }

  // MARK: The messages of the file

  private mutating func readPiece(_ bytes: [UInt8], _ range: Range<Int>) throws {
    var piece: String?
    var score: Float = 0
    var kind: UInt64 = 1
    var reader = ProtobufReader(bytes, range)
    while let (field, value) = try reader.next() {
      switch (field, value) {
      case (1, .bytes(let range)): piece = try string(bytes, range, "piece \(pieces.count)")
      case (2, .bits32(let bits)): score = Float(bitPattern: bits)
      case (3, .number(let number)): kind = number
      case (200..., _): break
      default: throw ProtobufReader.Damage()
      }
    }
    guard let piece, !piece.isEmpty else { throw damaged("piece \(pieces.count) has no text") }
    guard score.isFinite else { throw damaged("the score of piece \(pieces.count) is not finite") }
    guard let kind = Int(exactly: kind).flatMap(TokenKind.init) else {
      throw damaged("piece \(pieces.count) has the kind \(kind), which SentencePiece does not have")
    }
    pieces.append(piece)
    scores.append(Double(score))
    kinds.append(kind)
  }

  private mutating func readTraining(_ bytes: [UInt8], _ range: Range<Int>) throws {
    var reader = ProtobufReader(bytes, range)
    while let (field, value) = try reader.next() {
      switch (field, value) {
      case (3, .number(let number)):
        guard let kind = Int(exactly: number).flatMap(Kind.init) else {
          throw damaged("the model has the type \(number), which SentencePiece does not have")
        }
        self.kind = kind
      case (24, .number(let flag)):
        guard flag == 0 else { throw unsupported("puts spaces after words") }
      case (35, .number(let flag)): usesByteFallback = flag != 0
      case (46, .bytes(let range)): bosPiece = try string(bytes, range, "the 'bos_piece'")
      case (47, .bytes(let range)): eosPiece = try string(bytes, range, "the 'eos_piece'")
      case (48, .bytes(let range)): paddingPiece = try string(bytes, range, "the 'pad_piece'")
      default: break  // How it was trained, which changes nothing now.
      }
    }
  }

  private mutating func readNormalizing(_ bytes: [UInt8], _ range: Range<Int>) throws {
    var reader = ProtobufReader(bytes, range)
    while let (field, value) = try reader.next() {
      switch (field, value) {
      case (2, .bytes(let range)): text.characterMap = Array(bytes[range])
      case (3, .number(let flag)): text.prefix = flag == 0 ? .never : .always
      case (4, .number(let flag)): text.removesExtraSpaces = flag != 0
      case (5, .number(let flag)):
        guard flag != 0 else { throw unsupported("does not write spaces as '▁'") }
      default: break  // Its name, and the rules that the table was compiled from.
      }
    }
  }

  private func string(_ bytes: [UInt8], _ range: Range<Int>, _ what: String) throws -> String {
    guard let text = String(validating: bytes[range], as: UTF8.self) else {
      throw damaged("\(what) is not UTF-8")
    }
    return text
  }

  private func check() throws(TokenizationError) {
    guard !pieces.isEmpty else { throw damaged("there are no pieces") }
    guard kinds.count(where: { $0 == .unknown }) == 1 else {
      throw damaged("the pieces have not exactly one for what is unknown")
    }
    guard kind == .unigram || kind == .bytePairs else {
      throw unsupported(kind == .words ? "divides at spaces only" : "divides into characters")
    }
    var seen: Set<[UInt8]> = []
    for piece in pieces {
      guard seen.insert(Array(piece.utf8)).inserted else {
        throw damaged("the piece '\(printable(piece))' is there twice")
      }
    }
  }

  // MARK: Pieces with a role

  /// The id of a piece by its spelling.
  func id(of piece: String) -> Int? {
    pieces.firstIndex { $0.utf8.elementsEqual(piece.utf8) }
  }

  /// The id of the piece for what is unknown.
  public var unknown: Int { kinds.firstIndex(of: .unknown)! }

  /// The ids of the pieces with a role; those that are no control pieces have none.
  public var roles: TokenRoles {
    func control(_ piece: String) -> Int? {
      id(of: piece).flatMap { kinds[$0] == .control ? $0 : nil }
    }
    return TokenRoles(
      bos: control(bosPiece), eos: control(eosPiece), unknown: unknown,
      padding: control(paddingPiece))
  }
}
