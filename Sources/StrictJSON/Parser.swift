/// Reads one text, front to back, once.
struct Parser {
  let bytes: UnsafeBufferPointer<UInt8>
  private let maximumDepth: Int
  private let allowNonFinite: Bool
  var position = 0
  private var depth = 0
  /// The bytes of the string being read, where escapes make them differ from the text's.
  var unescaped: [UInt8] = []
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

  func next(_ wanted: String) throws(JSONError) -> UInt8 {
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

  func name(_ byte: UInt8) -> String {
    byte > 0x20 && byte < 0x7F ? "'\(Character(Unicode.Scalar(byte)))'" : hex(byte)
  }

  func hex(_ byte: UInt8) -> String {
    "0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
  }

  /// A key for a message: short, and on one line.
  private func quoted(_ key: String) -> String {
    let shown = key.unicodeScalars.prefix(60).map { $0.escaped(asASCII: false) }.joined()
    return "'\(shown)'" + (key.unicodeScalars.count > 60 ? "…" : "")
  }
}
