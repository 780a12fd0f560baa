/// Byte strings numbered from 0, found again by their bytes.
///
/// Swift's `String` compares by canonical equivalence, under which different tokens can be the same
/// key; this compares bytes. All strings lie in one buffer; slots are open addressed.
struct ByteStrings: Sendable {
  private(set) var bytes: [UInt8] = []
  /// Where string `i` begins; one more entry ends the last.
  private(set) var offsets: [Int] = [0]
  /// Upper half of the hash and number, or `empty`.
  private var slots: [UInt64] = []

  private static let empty = UInt64.max

  /// The number of strings.
  var count: Int { offsets.count - 1 }

  /// Makes room for strings, so that adding them moves nothing.
  init(capacity: Int) {
    bytes.reserveCapacity(capacity * 8)
    offsets.reserveCapacity(capacity + 1)
    var slotCount = 16
    while slotCount < capacity * 2 { slotCount *= 2 }
    slots = [UInt64](repeating: Self.empty, count: slotCount)
  }

  /// Adds a string under the next number; the last of equal strings is the one found later.
  mutating func append(_ string: UnsafeBufferPointer<UInt8>) {
    let number = count
    bytes.append(contentsOf: string)
    offsets.append(bytes.count)
    if offsets.count * 2 > slots.count { grow() }
    insert(number, hash: Self.hash(string))
  }

  private mutating func insert(_ number: Int, hash: UInt64) {
    let mask = slots.count - 1
    let tag = hash >> 32
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != Self.empty {
      // An equal string is replaced: a file that repeats one cannot fill a run of slots.
      if slots[slot] >> 32 == tag, equals(Int(slots[slot] & 0xFFFF_FFFF), number) { break }
      slot = (slot + 1) & mask
    }
    slots[slot] = tag << 32 | UInt64(number)
  }

  private func equals(_ first: Int, _ second: Int) -> Bool {
    let length = offsets[first + 1] - offsets[first]
    guard offsets[second + 1] - offsets[second] == length else { return false }
    return bytes.withUnsafeBufferPointer { bytes in
      for index in 0..<length
      where bytes[offsets[first] + index] != bytes[offsets[second] + index] { return false }
      return true
    }
  }

  private mutating func grow() {
    slots = [UInt64](repeating: Self.empty, count: slots.count * 2)
    for number in 0..<count {
      let hash = bytes.withUnsafeBufferPointer {
        Self.hash(UnsafeBufferPointer(rebasing: $0[offsets[number]..<offsets[number + 1]]))
      }
      insert(number, hash: hash)
    }
  }

  /// The number of the string with these bytes.
  func number(of string: UnsafeBufferPointer<UInt8>) -> Int? {
    let hash = Self.hash(string)
    let tag = hash >> 32
    return slots.withUnsafeBufferPointer { slots in
      let mask = slots.count - 1
      var slot = Int(truncatingIfNeeded: hash) & mask
      while slots[slot] != Self.empty {
        if slots[slot] >> 32 == tag {
          let number = Int(slots[slot] & 0xFFFF_FFFF)
          if equals(number, string) { return number }
        }
        slot = (slot + 1) & mask
      }
      return nil
    }
  }

  private func equals(_ number: Int, _ string: UnsafeBufferPointer<UInt8>) -> Bool {
    let start = offsets[number]
    guard offsets[number + 1] - start == string.count else { return false }
    return bytes.withUnsafeBufferPointer { bytes in
      for index in 0..<string.count where bytes[start + index] != string[index] { return false }
      return true
    }
  }

  /// The bytes of a string.
  subscript(number: Int) -> ArraySlice<UInt8> { bytes[offsets[number]..<offsets[number + 1]] }

  /// Multiplies and mixes eight bytes at a time; seeded by the length.
  @inline(__always)
  static func hash(_ string: UnsafeBufferPointer<UInt8>) -> UInt64 {
    var hash = UInt64(string.count) &* 0x9E37_79B9_7F4A_7C15
    var index = 0
    while index + 8 <= string.count {
      let word = UnsafeRawPointer(string.baseAddress! + index).loadUnaligned(as: UInt64.self)
      hash = (hash ^ word) &* 0xD6E8_FEB8_6659_FD93
      hash ^= hash >> 32
      index += 8
    }
    var tail: UInt64 = 0
    while index < string.count {
      tail = tail << 8 | UInt64(string[index])
      index += 1
    }
    hash = (hash ^ tail) &* 0xD6E8_FEB8_6659_FD93
    hash ^= hash >> 32
    hash = hash &* 0x9E37_79B9_7F4A_7C15
    return hash ^ (hash >> 29)
  }
}
