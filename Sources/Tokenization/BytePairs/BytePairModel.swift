/// The vocabulary and merges of byte-level BPE, ready to look up.
struct BytePairModel: Sendable {
  /// Tokens as the file spells them; number and id are the same.
  let spellings: ByteStrings
  /// What each token stands for.
  let decoded: DecodedTokens
  let merges: MergeTable
  /// The token of each single byte, or `absent`.
  let byteTokens: [UInt32]
  /// The token for a byte without one; where there is none such bytes are left out.
  var unknown: UInt32?
  /// Whether neighbouring bytes without a token share one unknown token.
  var fusesUnknown = false
  /// Tokens by what they stand for, where a piece that is a token is taken whole, whatever the merges
  /// say (Llama 3).
  let wholePieces: ByteStrings?

  static let absent = UInt32.max

  /// Looks up both halves and the result of every merge.
  ///
  /// - Parameters:
  ///   - tokens: The tokens by id; a number without a token is the empty string.
  ///   - isText: Whether the token of an id is plain text and not spelled in the alphabet.
  ///   - merges: The merges by rank.
  ///   - ignoresMerges: Whether a piece that is a token is taken whole.
  ///   - file: What messages call the source.
  /// - Throws: A merge that the vocabulary has no tokens for.
  init(
    tokens: [String], isText: (Int) -> Bool, merges: MergeList, ignoresMerges: Bool, file: String
  ) throws(TokenizationError) {
    guard tokens.count < Int(Int32.max), merges.count < Int(Int32.max) else {
      throw TokenizationError(
        .malformed, "\(file): the vocabulary is larger than any tokenizer's; the file is damaged.")
    }
    var spellings = ByteStrings(capacity: tokens.count)
    var decoded = DecodedTokens(capacity: tokens.count)
    var wholePieces = ignoresMerges ? ByteStrings(capacity: tokens.count) : nil
    for (id, token) in tokens.enumerated() {
      var token = token
      token.withUTF8 {
        spellings.append($0)
        let isSpelled = decoded.append($0, isText: isText(id))
        if wholePieces != nil {
          // A text never equals the empty string, which stands for tokens no piece can be.
          let piece = isSpelled ? decoded[id] : []
          piece.withUnsafeBufferPointer { wholePieces?.append($0) }
        }
      }
    }
    var byteTokens: [UInt32] = []
    for byte in UInt8.min...UInt8.max {
      let number = ByteAlphabet.spell([byte]).withUnsafeBufferPointer { spellings.number(of: $0) }
      byteTokens.append(number.map { UInt32($0) } ?? Self.absent)
    }
    self.spellings = spellings
    self.decoded = decoded
    self.wholePieces = wholePieces
    self.byteTokens = byteTokens
    self.merges = try merges.table(spellings, file: file)
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

    /// Adds the next token and returns whether it was spelled in the alphabet.
    mutating func append(_ token: UnsafeBufferPointer<UInt8>, isText: Bool) -> Bool {
      let isSpelled = !isText && ByteAlphabet.read(token, into: &bytes)
      if !isSpelled { bytes.append(contentsOf: token) }
      offsets.append(bytes.count)
      return isSpelled
    }

    subscript(id: Int) -> ArraySlice<UInt8> { bytes[offsets[id]..<offsets[id + 1]] }
  }
}

/// Merges as a file writes them: `"a b"` or `["a", "b"]`.
enum MergeList {
  case joined([String])
  case pairs([(left: String, right: String)])

  var count: Int {
    switch self {
    case .joined(let merges): merges.count
    case .pairs(let merges): merges.count
    }
  }

  /// The table over the numbers of the tokens.
  func table(_ tokens: ByteStrings, file: String) throws(TokenizationError) -> MergeTable {
    var table = MergeTable(capacity: count)
    var scratch: [UInt8] = []
    for rank in 0..<count {
      scratch.removeAll(keepingCapacity: true)
      guard let leftLength = append(rank, to: &scratch) else {
        throw TokenizationError(
          .malformed,
          "\(file): merge \(rank) '\(shown(rank))' is not two tokens with a space between; the file "
            + "is damaged.")
      }
      let numbers = scratch.withUnsafeBufferPointer { bytes in
        (
          tokens.number(of: UnsafeBufferPointer(rebasing: bytes[..<leftLength])),
          tokens.number(of: UnsafeBufferPointer(rebasing: bytes[leftLength...])),
          tokens.number(of: bytes)
        )
      }
      guard let left = numbers.0, let right = numbers.1, let merged = numbers.2 else {
        let part =
          numbers.0 == nil ? "left part" : numbers.1 == nil ? "right part" : "result"
        throw TokenizationError(
          .malformed,
          "\(file): the \(part) of merge \(rank) '\(shown(rank))' is not in the vocabulary; the "
            + "merges and the vocabulary are from different tokenizers.")
      }
      table.set(UInt32(left), UInt32(right), rank: rank, merged: UInt32(merged))
    }
    return table
  }

  /// Appends both parts without the space and returns the length of the first.
  private func append(_ rank: Int, to scratch: inout [UInt8]) -> Int? {
    switch self {
    case .pairs(let merges):
      scratch.append(contentsOf: merges[rank].left.utf8)
      let length = scratch.count
      scratch.append(contentsOf: merges[rank].right.utf8)
      return length > 0 && scratch.count > length ? length : nil
    case .joined(let merges):
      var merge = merges[rank]
      return merge.withUTF8 { bytes in
        guard let space = bytes.firstIndex(of: 0x20), space > 0, space + 1 < bytes.count,
          !bytes[(space + 1)...].contains(0x20)
        else { return nil }
        scratch.append(contentsOf: bytes[..<space])
        scratch.append(contentsOf: bytes[(space + 1)...])
        return space
      }
    }
  }

  private func shown(_ rank: Int) -> String {
    switch self {
    case .joined(let merges): printable(merges[rank])
    case .pairs(let merges): printable("\(merges[rank].left) \(merges[rank].right)")
    }
  }
}

/// A text for a message: short and on one line.
func printable(_ text: String, _ length: Int = 60) -> String {
  let scalars = text.unicodeScalars
  let shown = scalars.prefix(length).map {
    $0.value < 0x20 || $0.value == 0x7F ? $0.escaped(asASCII: true) : String($0)
  }
  return shown.joined() + (scalars.dropFirst(length).isEmpty ? "" : "…")
}
