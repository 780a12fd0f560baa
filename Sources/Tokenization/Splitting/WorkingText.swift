import Foundation

/// The bytes that are tokenized, each with the place in the source it came from.
struct WorkingText {
  private(set) var bytes: [UInt8]
  /// For each byte the range of the source it stands for; `nil` where the bytes are the source's.
  private var places: [Range<Int>]?

  /// A text that is its own source.
  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The part of a source in the composed normal form (NFC), and where it is in the new bytes.
  static func composing(_ source: [UInt8], _ part: Range<Int>) -> (WorkingText, Range<Int>) {
    // Below U+0300 nothing composes with what stands before it: that is, all but the leads 0xCC….
    guard source[part].contains(where: { $0 >= 0xCC }) else { return (WorkingText(source), part) }
    let text = String(decoding: source[part], as: UTF8.self)
    guard !compose(text).utf8.elementsEqual(text.utf8) else {
      return (WorkingText(source), part)
    }
    let composed = WorkingText(composing: text, at: part.lowerBound)
    return (composed, 0..<composed.bytes.count)
  }

  private init(composing text: String, at offset: Int) {
    // Composition never reaches over the border of a grapheme cluster.
    var bytes: [UInt8] = []
    var places: [Range<Int>] = []
    var start = offset
    for character in text {
      let length = character.utf8.count
      let composed = Self.compose(String(character))
      if composed.utf8.elementsEqual(character.utf8) {
        places.append(contentsOf: (start..<(start + length)).map { $0..<($0 + 1) })
      } else {
        let whole = start..<(start + length)
        places.append(contentsOf: repeatElement(whole, count: composed.utf8.count))
      }
      bytes.append(contentsOf: composed.utf8)
      start += length
    }
    self.bytes = bytes
    self.places = places
  }

  /// The composed normal form of a text.
  private static func compose(_ text: String) -> String {
    // Foundation on Linux composes neither a syllable with the consonant after it nor reorders the
    // marks that one mark decomposes to, unless the text is decomposed first; and it drops U+11A7,
    // which composes with nothing.
    let parts = text.unicodeScalars.split(separator: "\u{11A7}", omittingEmptySubsequences: false)
    return parts.map {
      String($0).decomposedStringWithCanonicalMapping.precomposedStringWithCanonicalMapping
    }.joined(separator: "\u{11A7}")
  }

  /// The range of the source that some bytes stand for.
  func place(_ range: Range<Int>) -> Range<Int> {
    guard let places, !range.isEmpty else { return range }
    return places[range.lowerBound].lowerBound..<places[range.upperBound - 1].upperBound
  }

  /// Puts a space before every part that does not begin with one, and returns where the parts are now.
  ///
  /// The space stands for nothing in the source.
  mutating func insertSpaces(before parts: [Range<Int>]) -> [Range<Int>] {
    var newBytes: [UInt8] = []
    var newPlaces: [Range<Int>] = []
    var newParts: [Range<Int>] = []
    for part in parts where !part.isEmpty {
      let start = newBytes.count
      if bytes[part.lowerBound] != 0x20 {
        let place = place(part).lowerBound
        newBytes.append(0x20)
        newPlaces.append(place..<place)
      }
      newBytes.append(contentsOf: bytes[part])
      for index in part { newPlaces.append(place(index..<(index + 1))) }
      newParts.append(start..<newBytes.count)
    }
    bytes = newBytes
    places = newPlaces
    return newParts
  }
}
