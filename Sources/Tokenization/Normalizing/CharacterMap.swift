/// SentencePiece's table of replaced characters: a double-array trie and the texts to put in place.
///
/// The bytes are the length of the trie, its units of four bytes, and the texts, each ended by a zero
/// byte (Kudo and Richardson 2018, section 3.2).
struct CharacterMap: Sendable, Equatable {
  /// Which entry is taken where several begin a text.
  enum Matching: Sendable, Equatable {
    /// Entries are looked for in whole grapheme clusters of up to five bytes, then in single
    /// characters; the shortest entry replaces all of it, as Hugging Face's tokenizers do.
    case clusters
    /// The longest entry replaces what it matches, as SentencePiece does.
    case longest
  }

  private let units: [UInt32]
  private let texts: [UInt8]
  private let matching: Matching
  /// For each byte below 0x80 where its replacement is, or −1.
  private var ascii: [Int] = []

  /// Reads the table.
  ///
  /// - Parameters:
  ///   - bytes: The table as SentencePiece writes it.
  ///   - matching: How entries are looked for.
  ///   - file: What messages call the source.
  /// - Throws: A table whose parts do not fit into it.
  init(
    _ bytes: [UInt8], matching: Matching, file: String
  ) throws(TokenizationError) {
    func word(_ offset: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << (8 * $1) }
    }
    guard bytes.count >= 4, word(0) % 4 == 0, Int(word(0)) <= bytes.count - 4, word(0) > 0 else {
      throw TokenizationError(
        .malformed,
        "\(file): the table of replaced characters (precompiled_charsmap) is cut short; the file is "
          + "damaged.")
    }
    let end = 4 + Int(word(0))
    units = stride(from: 4, to: end, by: 4).map(word)
    texts = Array(bytes[end...])
    // What is put into a text is text: the steps after this one trust its bytes.
    guard String(validating: texts, as: UTF8.self) != nil else {
      throw TokenizationError(
        .malformed,
        "\(file): the table of replaced characters (precompiled_charsmap) replaces them by what is no "
          + "UTF-8; the file is damaged.")
    }
    self.matching = matching
    ascii = (0..<0x80).map { byte in
      [UInt8(byte)].withUnsafeBufferPointer { self.entry($0, 0..<1)?.text ?? -1 }
    }
  }

  /// The entry that begins a part of a text: the shortest, or the longest, as `matching` asks.
  private func entry(
    _ bytes: UnsafeBufferPointer<UInt8>, _ part: Range<Int>
  ) -> (text: Int, end: Int)? {
    var found: (text: Int, end: Int)?
    var node = Self.offset(units[0])
    for index in part {
      let byte = Int(bytes[index])
      guard byte != 0 else { break }
      node ^= byte
      guard units.indices.contains(node), units[node] & 0x8000_00FF == byte else { break }
      let unit = units[node]
      node ^= Self.offset(unit)
      if unit >> 8 & 1 == 1, units.indices.contains(node) {
        let text = Int(units[node] & 0x7FFF_FFFF)
        // Whole characters by whole characters; a damaged table may point between.
        guard Self.isBorder(index + 1, bytes),
          texts.withUnsafeBufferPointer({ Self.isBorder(text, $0) })
        else { continue }
        found = (text, index + 1)
        if matching == .clusters { break }
      }
    }
    return found
  }

  /// Whether a character ends before an index.
  private static func isBorder(_ index: Int, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
    index >= text.count || text[index] & 0xC0 != 0x80
  }

  private static func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & 1 << 9) >> 6)) }

  /// The text that begins at an index of the texts.
  private func text(_ start: Int) -> ArraySlice<UInt8> {
    guard start < texts.count else { return [] }
    let rest = texts[start...]
    return rest[..<(rest.firstIndex(of: 0) ?? rest.endIndex)]
  }

  /// A part of a text with its characters replaced.
  func apply(_ text: WorkingText, _ part: Range<Int>) -> (WorkingText, Range<Int>) {
    text.bytes.withUnsafeBufferPointer { bytes in
      if part.allSatisfy({ bytes[$0] < 0x80 && ascii[Int(bytes[$0])] < 0 }) { return (text, part) }
      var writer = WorkingText.Writer(from: text, part)
      var index = part.lowerBound
      // Where the start is dropped, what comes first stands for it too: the text begins there.
      while index < part.upperBound, writer.bytes.isEmpty {
        index = replaceNext(bytes, index, part.upperBound, &writer)
      }
      if index > part.lowerBound { writer.extendFirst(to: part.lowerBound) }
      while index < part.upperBound {
        index = replaceNext(bytes, index, part.upperBound, &writer)
      }
      return (writer.finish(), 0..<writer.bytes.count)
    }
  }

  /// Writes what stands for the next characters, and returns where these end.
  @inline(__always)
  private func replaceNext(
    _ bytes: UnsafeBufferPointer<UInt8>, _ index: Int, _ limit: Int,
    _ writer: inout WorkingText.Writer
  ) -> Int {
    let byte = bytes[index]
    let next = index + 1 < limit ? bytes[index + 1] : 0
    if byte < 0x80, next < 0x80, byte != 0x0D || next != 0x0A {
      // Between characters of ASCII there is always a border.
      if ascii[Int(byte)] < 0 {
        writer.keep(index..<(index + 1))
      } else {
        writer.write(text(ascii[Int(byte)]), for: index..<(index + 1))
      }
      return index + 1
    }
    switch matching {
    case .clusters:
      return replaceClusters(bytes, index, limit, &writer)
    case .longest:
      let length = Scalars.at(index, bytes).length
      let end = entry(bytes, index..<limit)?.end ?? index + length
      replace(bytes, index..<end, &writer)
      return end
    }
  }

  /// Replaces up to where two characters of ASCII meet, and returns where that is.
  private func replaceClusters(
    _ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ limit: Int,
    _ writer: inout WorkingText.Writer
  ) -> Int {
    var end = start + 1
    while end < limit, bytes[end] >= 0x80 || bytes[end - 1] >= 0x80 || bytes[end] == 0x0A {
      end += 1
    }
    var index = start
    for character in String(decoding: bytes[start..<end], as: UTF8.self) {
      let cluster = index..<(index + character.utf8.count)
      index = cluster.upperBound
      if cluster.count < 6, entry(bytes, cluster) != nil {
        replace(bytes, cluster, &writer)
        continue
      }
      var place = cluster.lowerBound
      while place < cluster.upperBound {
        let length = Scalars.at(place, bytes).length
        replace(bytes, place..<(place + length), &writer)
        place += length
      }
    }
    return end
  }

  /// Writes the replacement of some bytes, or the bytes.
  private func replace(
    _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ writer: inout WorkingText.Writer
  ) {
    if let entry = entry(bytes, range) {
      writer.write(text(entry.text), for: range)
    } else {
      writer.keep(range)
    }
  }
}
