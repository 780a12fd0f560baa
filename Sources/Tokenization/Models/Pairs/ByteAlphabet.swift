/// The byte-level alphabet: each byte as one printable character, as GPT-2 writes its vocabulary.
///
/// Bytes that are printable in Latin-1 stand for themselves; the other 68 are U+0100, U+0101, … in
/// order, so the space is `Ġ` and the line feed `Ċ`.
enum ByteAlphabet {
  /// The character of each byte.
  static let scalars: [UInt16] = {
    var scalars = [UInt16](repeating: 0, count: 256)
    var next: UInt16 = 0x100
    for byte in 0..<256 {
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF:
        scalars[byte] = UInt16(byte)
      default:
        scalars[byte] = next
        next += 1
      }
    }
    return scalars
  }()

  /// The byte of each character below U+0144, or −1.
  private static let bytes: [Int16] = {
    var bytes = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar)] = Int16(byte) }
    return bytes
  }()

  /// The bytes as UTF-8 text in the alphabet.
  static func spell(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var text: [UInt8] = []
    for byte in bytes {
      let scalar = scalars[Int(byte)]
      if scalar < 0x80 {
        text.append(UInt8(scalar))
      } else {
        text.append(0xC0 | UInt8(scalar >> 6))
        text.append(0x80 | UInt8(scalar & 0x3F))
      }
    }
    return text
  }

  /// Whether all characters of a text are of the alphabet.
  static func spells(_ text: ArraySlice<UInt8>) -> Bool {
    var bytes: [UInt8] = []
    return text.withUnsafeBufferPointer { read($0, into: &bytes) }
  }

  /// Appends the bytes that a text in the alphabet spells; appends nothing and returns `false` where
  /// a character is not of the alphabet.
  static func read(_ text: UnsafeBufferPointer<UInt8>, into output: inout [UInt8]) -> Bool {
    let start = output.count
    return bytes.withUnsafeBufferPointer { table in
      var index = 0
      while index < text.count {
        var scalar = Int(text[index])
        index += 1
        if scalar >= 0x80 {
          // Two bytes reach U+07FF; the alphabet ends at U+0143.
          guard scalar & 0xE0 == 0xC0, index < text.count else {
            output.removeSubrange(start...)
            return false
          }
          scalar = (scalar & 0x1F) << 6 | Int(text[index] & 0x3F)
          index += 1
        }
        guard scalar < table.count, table[scalar] >= 0 else {
          output.removeSubrange(start...)
          return false
        }
        output.append(UInt8(truncatingIfNeeded: table[scalar]))
      }
      return true
    }
  }
}
