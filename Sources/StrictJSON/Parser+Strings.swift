extension Parser {
  mutating func string() throws(JSONError) -> String {
    let range = try stringBytes()
    guard let range else { return unescaped.withUnsafeBufferPointer { text($0) } }
    return text(UnsafeBufferPointer(rebasing: bytes[range]))
  }

  mutating func string(hash: inout Int) throws(JSONError) -> String {
    let range = try stringBytes()
    func read(_ content: UnsafeBufferPointer<UInt8>) -> String {
      var hasher = Hasher()
      hasher.combine(bytes: UnsafeRawBufferPointer(content))
      hash = hasher.finalize()
      return text(content)
    }
    guard let range else { return unescaped.withUnsafeBufferPointer(read) }
    return read(UnsafeBufferPointer(rebasing: bytes[range]))
  }

  private func text(_ content: UnsafeBufferPointer<UInt8>) -> String {
    String(decoding: content, as: UTF8.self)
  }

  /// Reads a string; its bytes are the range of the text, or `unescaped` where there is none.
  private mutating func stringBytes() throws(JSONError) -> Range<Int>? {
    let opening = position
    position += 1
    let start = position
    skipPlain()
    if position < bytes.count, bytes[position] == UInt8(ascii: "\"") {
      position += 1
      return start..<(position - 1)
    }
    unescaped.removeAll(keepingCapacity: true)
    unescaped.append(contentsOf: bytes[start..<position])
    while true {
      guard position < bytes.count else {
        throw JSONError(.unexpectedEnd, at: opening, "the string that begins here has no end")
      }
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") {
        position += 1
        return nil
      } else if byte == UInt8(ascii: "\\") {
        try escape()
      } else if byte < 0x20 {
        throw JSONError(
          .syntax, at: position, "the control character \(hex(byte)) in a string must be escaped")
      } else if byte < 0x80 {
        unescaped.append(byte)
        position += 1
      } else {
        let length = validUTF8Length(at: position)
        guard length > 0 else { throw JSONError(.invalidUTF8, at: position, "not valid UTF-8") }
        unescaped.append(contentsOf: bytes[position..<(position + length)])
        position += length
      }
    }
  }

  /// Moves over characters that stand for themselves; stops at a quote, an escape or a fault.
  private mutating func skipPlain() {
    while position < bytes.count {
      let byte = bytes[position]
      if byte < 0x80 {
        if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return }
        position += 1
      } else {
        let length = validUTF8Length(at: position)
        if length == 0 { return }
        position += length
      }
    }
  }

  /// The length of the well-formed sequence of two to four bytes here, or 0 (Unicode, table 3-7).
  private func validUTF8Length(at index: Int) -> Int {
    func continues(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
      index + offset < bytes.count && range.contains(bytes[index + offset])
    }
    switch bytes[index] {
    case 0xC2...0xDF:
      return continues(1) ? 2 : 0
    case 0xE0:
      return continues(1, 0xA0...0xBF) && continues(2) ? 3 : 0
    case 0xED:
      return continues(1, 0x80...0x9F) && continues(2) ? 3 : 0
    case 0xE1...0xEF:
      return continues(1) && continues(2) ? 3 : 0
    case 0xF0:
      return continues(1, 0x90...0xBF) && continues(2) && continues(3) ? 4 : 0
    case 0xF1...0xF3:
      return continues(1) && continues(2) && continues(3) ? 4 : 0
    case 0xF4:
      return continues(1, 0x80...0x8F) && continues(2) && continues(3) ? 4 : 0
    default:
      return 0
    }
  }

  private mutating func escape() throws(JSONError) {
    let start = position
    position += 1
    let byte = try next("the rest of an escape")
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): unescaped.append(byte)
    case UInt8(ascii: "b"): unescaped.append(0x08)
    case UInt8(ascii: "f"): unescaped.append(0x0C)
    case UInt8(ascii: "n"): unescaped.append(0x0A)
    case UInt8(ascii: "r"): unescaped.append(0x0D)
    case UInt8(ascii: "t"): unescaped.append(0x09)
    case UInt8(ascii: "u"):
      var code = UInt32(try fourDigits(from: start))
      if code >= 0xD800, code <= 0xDFFF {
        guard code < 0xDC00, position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
          bytes[position + 1] == UInt8(ascii: "u")
        else { throw loneSurrogate(start) }
        position += 2
        let low = UInt32(try fourDigits(from: start))
        guard low >= 0xDC00, low <= 0xDFFF else { throw loneSurrogate(start) }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw loneSurrogate(start) }
      unescaped.append(contentsOf: String(Character(scalar)).utf8)
    default:
      throw JSONError(.invalidEscape, at: start, "JSON has no escape '\\' + \(name(byte))")
    }
  }

  private func loneSurrogate(_ start: Int) -> JSONError {
    JSONError(.invalidEscape, at: start, "the escape is half of a surrogate pair")
  }

  private mutating func fourDigits(from start: Int) throws(JSONError) -> UInt16 {
    var value: UInt16 = 0
    for _ in 0..<4 {
      let byte = try next("four hexadecimal digits")
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default:
        throw JSONError(.invalidEscape, at: start, "'\\u' needs four hexadecimal digits")
      }
      value = value << 4 | UInt16(digit)
      position += 1
    }
    return value
  }
}
