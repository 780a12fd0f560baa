/// The tokens of a vocabulary: as they are written there, and what they stand for in a text.
struct TokenTable: Sendable {
  /// Tokens as the file spells them; number and id are the same.
  let spellings: ByteStrings
  /// What each token stands for.
  let decoded: DecodedTokens

  /// The number of tokens.
  var count: Int { decoded.count }

  /// Gathers tokens.
  ///
  /// - Parameters:
  ///   - tokens: The tokens by id; a number without a token is the empty string.
  ///   - isText: Whether the token of an id is plain text, whatever its spelling.
  ///   - file: What messages call the source.
  ///   - decode: Appends what a spelling stands for; returns whether it could be read.
  /// - Throws: More tokens than any tokenizer has.
  init(
    _ tokens: [String], isText: (Int) -> Bool, file: String,
    decode: DecodingStep.Reader
  ) throws(TokenizationError) {
    guard tokens.count < 1 << 24 else {
      throw TokenizationError(
        .malformed, "\(file): the vocabulary is larger than any tokenizer's; the file is damaged.")
    }
    var spellings = ByteStrings(capacity: tokens.count)
    var decoded = DecodedTokens(capacity: tokens.count)
    for (id, token) in tokens.enumerated() {
      var token = token
      token.withUTF8 { bytes in
        spellings.append(bytes)
        decoded.append { output in
          if isText(id) || !decode(bytes, &output) { output.append(contentsOf: bytes) }
        }
      }
    }
    self.spellings = spellings
    self.decoded = decoded
  }

  /// The id of the token spelled like this.
  func id(of spelling: [UInt8]) -> Int? {
    guard !spelling.isEmpty else { return nil }
    return spelling.withUnsafeBufferPointer { spellings.number(of: $0) }
  }

  /// The tokens of all bytes as SentencePiece spells them, `<0x00>` to `<0xFF>`, where they are there.
  func byteTokens() -> [UInt32] {
    (0..<256).map { byte in
      let digits = String(byte, radix: 16, uppercase: true)
      let spelling = "<0x" + (byte < 16 ? "0" : "") + digits + ">"
      return id(of: Array(spelling.utf8)).map { UInt32($0) } ?? PairModel.absent
    }
  }

  /// The bytes of every token, one after another.
  struct DecodedTokens: Sendable {
    private var bytes: [UInt8] = []
    private var offsets: [Int] = [0]

    init(capacity: Int) {
      bytes.reserveCapacity(capacity * 8)
      offsets.reserveCapacity(capacity + 1)
    }

    var count: Int { offsets.count - 1 }

    /// Adds the next token.
    mutating func append(_ write: (inout [UInt8]) -> Void) {
      write(&bytes)
      offsets.append(bytes.count)
    }

    subscript(id: Int) -> ArraySlice<UInt8> { bytes[offsets[id]..<offsets[id + 1]] }
  }
}

/// SentencePiece's mark of a space, U+2581, and its spelling of bytes.
enum SentencePiece {
  /// `▁` as UTF-8.
  static let space: [UInt8] = [0xE2, 0x96, 0x81]

  /// The byte that a token such as `<0x0A>` stands for.
  static func byte(_ spelling: some Collection<UInt8>) -> UInt8? {
    guard spelling.count == 6 else { return nil }
    let text = Array(spelling)
    guard text[0...2].elementsEqual("<0x".utf8), text[5] == UInt8(ascii: ">") else { return nil }
    func digit(_ byte: UInt8) -> UInt8? {
      switch byte {
      case 0x30...0x39: byte - 0x30
      case 0x41...0x46: byte - 0x37
      default: nil
      }
    }
    guard let high = digit(text[3]), let low = digit(text[4]) else { return nil }
    return high << 4 | low
  }
}
