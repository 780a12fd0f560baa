/// Reads one text, front to back, once.
struct Parser {
  private let bytes: UnsafeBufferPointer<UInt8>
  private let maximumDepth: Int
  private let allowNonFinite: Bool
  private var position = 0
  private var depth = 0
  /// The bytes of the string being read, where escapes make them differ from the text's.
  private var unescaped: [UInt8] = []
  /// Hash and place of the keys of all objects being read, innermost last.
  private var keys: [Key] = []

  private struct Key {
    let hash: Int
    let offset: Int
  }

  init(bytes: UnsafeBufferPointer<UInt8>, maximumDepth: Int, allowNonFinite: Bool) {
    self.bytes = bytes
    self.maximumDepth = maximumDepth
    self.allowNonFinite = allowNonFinite
  }

  mutating func document() throws(JSONError) -> JSON {
    skipSpace()
    let value = try value()
    skipSpace()
    if position < bytes.count {
      throw JSONError(.trailingBytes, at: position, "bytes follow the end of the value")
    }
    return value
  }

  // MARK: Values

  private mutating func value() throws(JSONError) -> JSON {
    switch try next("a value") {
    case UInt8(ascii: "{"):
      return .object(try object())
    case UInt8(ascii: "["):
      return .array(try array())
    case UInt8(ascii: "\""):
      return .string(try string())
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return .number(try number())
    case UInt8(ascii: "t"):
      try word("true")
      return .boolean(true)
    case UInt8(ascii: "f"):
      try word("false")
      return .boolean(false)
    case UInt8(ascii: "n"):
      try word("null")
      return .null
    case UInt8(ascii: "N") where allowNonFinite:
      try word("NaN")
      return .number(.real(.nan))
    case UInt8(ascii: "I") where allowNonFinite:
      try word("Infinity")
      return .number(.real(.infinity))
    case let byte:
      throw unexpected(byte, "a value")
    }
  }

  private mutating func array() throws(JSONError) -> [JSON] {
    try descend()
    var elements: [JSON] = []
    skipSpace()
    if try next("a value or ']'") != UInt8(ascii: "]") {
      while true {
        elements.append(try value())
        skipSpace()
        let byte = try next("',' or ']'")
        if byte == UInt8(ascii: "]") { break }
        guard byte == UInt8(ascii: ",") else { throw unexpected(byte, "',' or ']'") }
        position += 1
        skipSpace()
      }
    }
    position += 1
    depth -= 1
    return elements
  }

  private mutating func object() throws(JSONError) -> JSONObject {
    try descend()
    let outer = keys.count
    var members: [JSONObject.Member] = []
    skipSpace()
    if try next("a key or '}'") != UInt8(ascii: "}") {
      while true {
        let byte = try next("a key")
        guard byte == UInt8(ascii: "\"") else { throw unexpected(byte, "a key") }
        let offset = position
        var hash = 0
        let key = try string(hash: &hash)
        keys.append(Key(hash: hash, offset: offset))
        skipSpace()
        let colon = try next("':'")
        guard colon == UInt8(ascii: ":") else { throw unexpected(colon, "':'") }
        position += 1
        skipSpace()
        members.append(JSONObject.Member(key: key, value: try value()))
        skipSpace()
        let end = try next("',' or '}'")
        if end == UInt8(ascii: "}") { break }
        guard end == UInt8(ascii: ",") else { throw unexpected(end, "',' or '}'") }
        position += 1
        skipSpace()
      }
    }
    position += 1
    depth -= 1
    try refuseDuplicates(members, keys: keys[outer...])
    keys.removeSubrange(outer...)
    return JSONObject(members: members)
  }

  /// Refuses a key that stands twice.
  ///
  /// `Hasher` is seeded, so no file can be made to collide.
  private func refuseDuplicates(
    _ members: [JSONObject.Member], keys: ArraySlice<Key>
  ) throws(JSONError) {
    let count = members.count
    guard count > 1 else { return }
    let first = keys.startIndex
    if count <= 8 {
      for later in 1..<count {
        for earlier in 0..<later where keys[first + earlier].hash == keys[first + later].hash {
          try refuse(members, earlier, later, at: keys[first + later].offset)
        }
      }
      return
    }
    var capacity = 32
    while capacity < 2 * count { capacity *= 2 }
    var slots = [Int32](repeating: -1, count: capacity)
    for later in 0..<count {
      let hash = keys[first + later].hash
      var slot = hash & (capacity - 1)
      while slots[slot] >= 0 {
        let earlier = Int(slots[slot])
        if keys[first + earlier].hash == hash {
          try refuse(members, earlier, later, at: keys[first + later].offset)
        }
        slot = (slot + 1) & (capacity - 1)
      }
      slots[slot] = Int32(truncatingIfNeeded: later)
    }
  }

  private func refuse(
    _ members: [JSONObject.Member], _ earlier: Int, _ later: Int, at offset: Int
  ) throws(JSONError) {
    guard exactlyEqual(members[earlier].key, members[later].key) else { return }
    throw JSONError(
      .duplicateKey, at: offset, "the key \(quoted(members[later].key)) stands twice in one object")
  }

  private mutating func descend() throws(JSONError) {
    guard depth < maximumDepth else {
      throw JSONError(
        .tooDeep, at: position, "arrays and objects nest deeper than \(maximumDepth)")
    }
    depth += 1
    position += 1
  }

  // MARK: Strings

  private mutating func string() throws(JSONError) -> String {
    let range = try stringBytes()
    guard let range else { return unescaped.withUnsafeBufferPointer { text($0) } }
    return text(UnsafeBufferPointer(rebasing: bytes[range]))
  }

  private mutating func string(hash: inout Int) throws(JSONError) -> String {
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

  // MARK: Numbers

  private mutating func number() throws(JSONError) -> JSONNumber {
    let start = position
    let negative = bytes[position] == UInt8(ascii: "-")
    if negative {
      position += 1
      if allowNonFinite, position < bytes.count, bytes[position] == UInt8(ascii: "I") {
        try word("Infinity")
        return .real(-.infinity)
      }
    }
    let digits = try digits(from: start)
    if digits.count > 1, bytes[digits.lowerBound] == UInt8(ascii: "0") {
      throw JSONError(.invalidNumber, at: start, "a number may not begin with a needless 0")
    }
    var isInteger = true
    if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      _ = try self.digits(from: start)
    }
    if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
      isInteger = false
      position += 1
      if position < bytes.count,
        bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-")
      {
        position += 1
      }
      _ = try self.digits(from: start)
    }
    if isInteger, let value = integer(digits, negative: negative) { return .integer(value) }
    let literal = String(decoding: bytes[start..<position], as: UTF8.self)
    guard let value = Double(literal), value.isFinite else {
      throw JSONError(.invalidNumber, at: start, "the number is beyond the range of a double")
    }
    return .real(value)
  }

  private mutating func digits(from start: Int) throws(JSONError) -> Range<Int> {
    let first = position
    while position < bytes.count, bytes[position] &- UInt8(ascii: "0") < 10 { position += 1 }
    guard position > first else {
      if position == bytes.count { _ = try next("a digit") }
      throw JSONError(.invalidNumber, at: start, "a number lacks a digit at byte \(position)")
    }
    return first..<position
  }

  /// The integer, unless it is beyond `Int` or is −0, which only a `Double` can hold.
  private func integer(_ digits: Range<Int>, negative: Bool) -> Int? {
    var value = 0
    for index in digits {
      let digit = Int(bytes[index] - UInt8(ascii: "0"))
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) =
        negative ? tens.subtractingReportingOverflow(digit) : tens.addingReportingOverflow(digit)
      if overflow || carry { return nil }
      value = sum
    }
    return negative && value == 0 ? nil : value
  }

  // MARK: Bytes

  private mutating func skipSpace() {
    while position < bytes.count {
      let byte = bytes[position]
      guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
      position += 1
    }
  }

  private func next(_ wanted: String) throws(JSONError) -> UInt8 {
    guard position < bytes.count else {
      throw JSONError(.unexpectedEnd, at: position, "the text ends where \(wanted) should stand")
    }
    return bytes[position]
  }

  private mutating func word(_ word: StaticString) throws(JSONError) {
    let length = word.utf8CodeUnitCount
    for index in 0..<length {
      guard position + index < bytes.count else {
        throw JSONError(.unexpectedEnd, at: bytes.count, "the text ends inside '\(word)'")
      }
      guard bytes[position + index] == word.utf8Start[index] else {
        throw JSONError(.syntax, at: position, "expected '\(word)'")
      }
    }
    position += length
  }

  private func unexpected(_ byte: UInt8, _ wanted: String) -> JSONError {
    JSONError(.syntax, at: position, "expected \(wanted), found \(name(byte))")
  }

  private func name(_ byte: UInt8) -> String {
    byte > 0x20 && byte < 0x7F ? "'\(Character(Unicode.Scalar(byte)))'" : hex(byte)
  }

  private func hex(_ byte: UInt8) -> String {
    "0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
  }

  /// A key for a message: short, and on one line.
  private func quoted(_ key: String) -> String {
    let shown = key.unicodeScalars.prefix(60).map { $0.escaped(asASCII: false) }.joined()
    return "'\(shown)'" + (key.unicodeScalars.count > 60 ? "…" : "")
  }
}
