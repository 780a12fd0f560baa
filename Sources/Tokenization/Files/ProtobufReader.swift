/// Reads the fields of one message in the wire format of Protocol Buffers, without copying.
///
/// Every length is checked against the message that holds it, so that no file can make the reader
/// leave the bytes, loop, or ask for memory that the file does not itself fill.
struct ProtobufReader {
  /// What a field holds; texts and messages inside are a range of the bytes.
  enum Value {
    case number(UInt64)
    case bytes(Range<Int>)
    case bits32(UInt32)
    case bits64(UInt64)
  }

  private let bytes: [UInt8]
  private let end: Int
  private var index: Int

  /// A reader of a message within bytes.
  init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    index = range.lowerBound
    end = range.upperBound
  }

  /// The next field; `nil` at the end of the message.
  ///
  /// - Throws: `Damage` where the bytes are no message.
  mutating func next() throws(Damage) -> (field: Int, value: Value)? {
    guard index < end else { return nil }
    let key = try number()
    guard let field = Int(exactly: key >> 3), field > 0, field < 1 << 29 else { throw Damage() }
    switch key & 7 {
    case 0: return (field, .number(try number()))
    case 1: return (field, .bits64(try littleEndian(8)))
    case 2:
      let length = try number()
      guard length <= UInt64(end - index) else { throw Damage() }
      let range = index..<index + Int(length)
      index = range.upperBound
      return (field, .bytes(range))
    case 5: return (field, .bits32(UInt32(truncatingIfNeeded: try littleEndian(4))))
    default: throw Damage()
    }
  }

  private mutating func number() throws(Damage) -> UInt64 {
    var result: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard index < end else { break }
      let byte = bytes[index]
      index += 1
      // The tenth byte holds one bit.
      guard shift < 63 || byte < 2 else { break }
      result |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return result }
    }
    throw Damage()
  }

  private mutating func littleEndian(_ count: Int) throws(Damage) -> UInt64 {
    guard end - index >= count else { throw Damage() }
    var result: UInt64 = 0
    for offset in 0..<count { result |= UInt64(bytes[index + offset]) << UInt64(8 * offset) }
    index += count
    return result
  }

  /// The bytes are not a message.
  struct Damage: Error {}
}
