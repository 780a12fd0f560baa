/// What the splitting patterns tell apart: `\p{L}`, `\p{N}`, `\s` and the rest.
enum CharacterClass: UInt8 {
  case other
  case letter
  case number
  case space
}

/// A character of a UTF-8 text with its length in bytes.
struct ScannedCharacter {
  let kind: CharacterClass
  let length: Int
}

extension CharacterClass {
  /// The class of a scalar by its general category and the property White_Space.
  init(_ scalar: Unicode.Scalar) {
    let properties = scalar.properties
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      self = .letter
    case .decimalNumber, .letterNumber, .otherNumber:
      self = .number
    default:
      self = properties.isWhitespace ? .space : .other
    }
  }

  /// The classes below U+10000, made when a text first needs them: about a millisecond.
  private static let basicPlane: [CharacterClass] = (UInt32(0)..<0x10000).map { value in
    Unicode.Scalar(value).map { CharacterClass($0) } ?? .other
  }

  /// The class of the scalar that begins at an index of a well-formed UTF-8 text.
  @inline(__always)
  static func scan(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> ScannedCharacter {
    let byte = text[index]
    if byte < 0x80 { return ScannedCharacter(kind: asciiClass(byte), length: 1) }
    return scanBeyondASCII(text, index)
  }

  @inline(__always)
  private static func asciiClass(_ byte: UInt8) -> CharacterClass {
    // Letters first: they are most of a text.
    if (byte | 0x20) &- 0x61 < 26 { return .letter }
    if byte == 0x20 || byte &- 0x09 < 5 { return .space }
    if byte &- 0x30 < 10 { return .number }
    return .other
  }

  private static func scanBeyondASCII(
    _ text: UnsafeBufferPointer<UInt8>, _ index: Int
  ) -> ScannedCharacter {
    let first = UInt32(text[index])
    func tail(_ offset: Int) -> UInt32 { UInt32(text[index + offset] & 0x3F) }
    if first < 0xE0 {
      let value = (first & 0x1F) << 6 | tail(1)
      return ScannedCharacter(kind: basicPlane[Int(value)], length: 2)
    }
    if first < 0xF0 {
      let value = (first & 0x0F) << 12 | tail(1) << 6 | tail(2)
      return ScannedCharacter(kind: basicPlane[Int(value)], length: 3)
    }
    let value = (first & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3)
    let kind = Unicode.Scalar(value).map { CharacterClass($0) } ?? .other
    return ScannedCharacter(kind: kind, length: 4)
  }
}
