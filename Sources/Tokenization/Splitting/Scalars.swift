/// Reading the scalars of UTF-8 bytes that are known to be well formed.
enum Scalars {
  /// The scalar that begins at an index, with its length in bytes.
  @inline(__always)
  static func at(
    _ index: Int, _ text: UnsafeBufferPointer<UInt8>
  ) -> (scalar: Unicode.Scalar, length: Int) {
    let first = UInt32(text[index])
    if first < 0x80 { return (Unicode.Scalar(UInt8(truncatingIfNeeded: first)), 1) }
    func tail(_ offset: Int) -> UInt32 { UInt32(text[index + offset] & 0x3F) }
    let value: UInt32
    let length: Int
    if first < 0xE0 {
      (value, length) = ((first & 0x1F) << 6 | tail(1), 2)
    } else if first < 0xF0 {
      (value, length) = ((first & 0x0F) << 12 | tail(1) << 6 | tail(2), 3)
    } else {
      (value, length) = ((first & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4)
    }
    return (Unicode.Scalar(value) ?? "\u{FFFD}", length)
  }

  /// Calls `body` with every scalar of a part and its range.
  @inline(__always)
  static func each(
    _ text: UnsafeBufferPointer<UInt8>, _ part: Range<Int>,
    _ body: (Unicode.Scalar, Range<Int>) -> Void
  ) {
    var index = part.lowerBound
    while index < part.upperBound {
      let (scalar, length) = at(index, text)
      body(scalar, index..<(index + length))
      index += length
    }
  }
}

extension Unicode.Scalar {
  /// Whether the scalar is punctuation as BERT means it: the signs of ASCII and the categories P.
  var isPunctuation: Bool {
    if value < 0x80 {
      switch value {
      case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: return true
      default: return false
      }
    }
    switch properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
      .initialPunctuation, .finalPunctuation, .otherPunctuation:
      return true
    default:
      return false
    }
  }

  /// Whether the scalar is part of a word (`\w`).
  var isWord: Bool {
    if value < 0x80 {
      switch value {
      case 0x30...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A: return true
      default: return false
      }
    }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation:
      return true
    default:
      return properties.isAlphabetic || properties.isJoinControl
    }
  }

  /// Whether the scalar is white space, by the property White_Space.
  var isSpace: Bool {
    value < 0x80 ? value == 0x20 || (9...13).contains(value) : properties.isWhitespace
  }

  /// Whether the scalar has a numeric category (N).
  var isNumber: Bool {
    if value < 0x80 { return (0x30...0x39).contains(value) }
    switch properties.generalCategory {
    case .decimalNumber, .letterNumber, .otherNumber: return true
    default: return false
    }
  }

  /// Whether the scalar is a mark (M).
  var isMark: Bool {
    guard value >= 0x300 else { return false }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark: return true
    default: return false
    }
  }
}
