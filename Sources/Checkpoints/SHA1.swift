/// SHA-1 (FIPS 180-4), by which Git names what it stores.
///
/// It tells a damaged file from a whole one; against forgery it does not protect.
enum SHA1 {
  /// Git's name of a file with these bytes.
  static func gitBlob(_ bytes: UnsafeRawBufferPointer) -> String {
    var message = Array("blob \(bytes.count)".utf8) + [0]
    message.append(contentsOf: bytes)
    return hex(message)
  }

  private static func hex(_ message: [UInt8]) -> String {
    var padded = message + [0x80]
    while padded.count % 64 != 56 { padded.append(0) }
    withUnsafeBytes(of: (UInt64(message.count) << 3).bigEndian) { padded.append(contentsOf: $0) }
    var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
    var words = [UInt32](repeating: 0, count: 80)
    padded.withUnsafeBytes { padded in
      for block in stride(from: 0, to: padded.count, by: 64) {
        compress(padded, block, &words, &state)
      }
    }
    return state.map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
  }

  private static func compress(
    _ bytes: UnsafeRawBufferPointer, _ block: Int, _ words: inout [UInt32], _ state: inout [UInt32]
  ) {
    func rotate(_ word: UInt32, _ by: UInt32) -> UInt32 { word << by | word >> (32 - by) }
    for index in 0..<16 {
      words[index] = UInt32(
        bigEndian: bytes.loadUnaligned(fromByteOffset: block + index * 4, as: UInt32.self))
    }
    for index in 16..<80 {
      words[index] = rotate(
        words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1)
    }
    var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
    for index in 0..<80 {
      let (mixed, constant): (UInt32, UInt32) =
        switch index {
        case 0..<20: (b & c | ~b & d, 0x5A82_7999)
        case 20..<40: (b ^ c ^ d, 0x6ED9_EBA1)
        case 40..<60: (b & c | b & d | c & d, 0x8F1B_BCDC)
        default: (b ^ c ^ d, 0xCA62_C1D6)
        }
      let next = rotate(a, 5) &+ mixed &+ e &+ constant &+ words[index]
      (e, d, c, b, a) = (d, c, rotate(b, 30), a, next)
    }
    for (index, value) in [a, b, c, d, e].enumerated() { state[index] &+= value }
  }
}
