/// SHA-256 (FIPS 180-4), over bytes as they come.
struct SHA256 {
  private var state = (
    0x6A09_E667 as UInt32, 0xBB67_AE85 as UInt32, 0x3C6E_F372 as UInt32, 0xA54F_F53A as UInt32,
    0x510E_527F as UInt32, 0x9B05_688C as UInt32, 0x1F83_D9AB as UInt32, 0x5BE0_CD19 as UInt32
  )

  /// The digest of these bytes, as 64 hexadecimal digits.
  static func hex(_ bytes: UnsafeRawBufferPointer) -> String {
    var hash = SHA256()
    let whole = bytes.count / 64
    if let base = bytes.baseAddress { hash.update(base, blocks: whole) }
    // The rest, a one bit, zeros, and the length in bits.
    var tail = Array(bytes[(whole * 64)...])
    tail.append(0x80)
    while tail.count % 64 != 56 { tail.append(0) }
    withUnsafeBytes(of: (UInt64(bytes.count) << 3).bigEndian) { tail.append(contentsOf: $0) }
    tail.withUnsafeBytes { tail in
      if let base = tail.baseAddress { hash.update(base, blocks: tail.count / 64) }
    }
    return hash.hex
  }

  /// The digest of a text's UTF-8 bytes.
  static func hex(_ text: String) -> String {
    var text = text
    return text.withUTF8 { hex(UnsafeRawBufferPointer($0)) }
  }

  private var hex: String {
    let words = [
      state.0, state.1, state.2, state.3, state.4, state.5, state.6, state.7,
    ]
    return words.map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
  }

  private mutating func update(_ source: UnsafeRawPointer, blocks: Int) {
    var (a, b, c, d, e, f, g, h) = state
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { words in
      guard let w = words.baseAddress else { return }
      roundConstants.withUnsafeBufferPointer { constants in
        guard let k = constants.baseAddress else { return }
        for block in 0..<blocks {
          let start = source + block * 64
          Self.schedule(start, w, k)
          let before = (a, b, c, d, e, f, g, h)
          for round in stride(from: 0, to: 64, by: 8) {
            // Eight rounds rename the variables round once, so nothing need be moved.
            Self.round(a, b, c, &d, e, f, g, &h, w[round])
            Self.round(h, a, b, &c, d, e, f, &g, w[round + 1])
            Self.round(g, h, a, &b, c, d, e, &f, w[round + 2])
            Self.round(f, g, h, &a, b, c, d, &e, w[round + 3])
            Self.round(e, f, g, &h, a, b, c, &d, w[round + 4])
            Self.round(d, e, f, &g, h, a, b, &c, w[round + 5])
            Self.round(c, d, e, &f, g, h, a, &b, w[round + 6])
            Self.round(b, c, d, &e, f, g, h, &a, w[round + 7])
          }
          a &+= before.0
          b &+= before.1
          c &+= before.2
          d &+= before.3
          e &+= before.4
          f &+= before.5
          g &+= before.6
          h &+= before.7
        }
      }
    }
    state = (a, b, c, d, e, f, g, h)
  }

  /// The 64 words of a block, each with its round's constant already added.
  @inline(__always)
  private static func schedule(
    _ block: UnsafeRawPointer, _ sums: UnsafeMutablePointer<UInt32>, _ k: UnsafePointer<UInt32>
  ) {
    var w = SIMD16<UInt32>()
    for index in 0..<16 {
      let word = UInt32(
        bigEndian: block.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self))
      w[index] = word
      sums[index] = word &+ k[index]
    }
    for start in stride(from: 16, to: 64, by: 16) {
      for index in 0..<16 {
        let before = w[(index + 1) & 15]
        let last = w[(index + 14) & 15]
        let small0 = rotate(before, 7) ^ rotate(before, 18) ^ (before >> 3)
        let small1 = rotate(last, 17) ^ rotate(last, 19) ^ (last >> 10)
        let word = w[index] &+ small0 &+ w[(index + 9) & 15] &+ small1
        w[index] = word
        sums[start + index] = word &+ k[start + index]
      }
    }
  }

  @inline(__always)
  private static func rotate(_ word: UInt32, _ by: UInt32) -> UInt32 {
    word &>> by | word &<< (32 &- by)
  }

  @inline(__always)
  private static func round(
    _ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: inout UInt32, _ e: UInt32, _ f: UInt32,
    _ g: UInt32, _ h: inout UInt32, _ word: UInt32
  ) {
    let big1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
    let choice = g ^ (e & (f ^ g))
    let first = h &+ big1 &+ choice &+ word
    let big0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
    let majority = (a & b) | (c & (a | b))
    d &+= first
    h = first &+ big0 &+ majority
  }
}

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
private let roundConstants: [UInt32] = [
  0x428A_2F98, 0x7137_4491, 0xB5C0_FBCF, 0xE9B5_DBA5, 0x3956_C25B, 0x59F1_11F1, 0x923F_82A4,
  0xAB1C_5ED5, 0xD807_AA98, 0x1283_5B01, 0x2431_85BE, 0x550C_7DC3, 0x72BE_5D74, 0x80DE_B1FE,
  0x9BDC_06A7, 0xC19B_F174, 0xE49B_69C1, 0xEFBE_4786, 0x0FC1_9DC6, 0x240C_A1CC, 0x2DE9_2C6F,
  0x4A74_84AA, 0x5CB0_A9DC, 0x76F9_88DA, 0x983E_5152, 0xA831_C66D, 0xB003_27C8, 0xBF59_7FC7,
  0xC6E0_0BF3, 0xD5A7_9147, 0x06CA_6351, 0x1429_2967, 0x27B7_0A85, 0x2E1B_2138, 0x4D2C_6DFC,
  0x5338_0D13, 0x650A_7354, 0x766A_0ABB, 0x81C2_C92E, 0x9272_2C85, 0xA2BF_E8A1, 0xA81A_664B,
  0xC24B_8B70, 0xC76C_51A3, 0xD192_E819, 0xD699_0624, 0xF40E_3585, 0x106A_A070, 0x19A4_C116,
  0x1E37_6C08, 0x2748_774C, 0x34B0_BCB5, 0x391C_0CB3, 0x4ED8_AA4A, 0x5B9C_CA4F, 0x682E_6FF3,
  0x748F_82EE, 0x78A5_636F, 0x84C8_7814, 0x8CC7_0208, 0x90BE_FFFA, 0xA450_6CEB, 0xBEF9_A3F7,
  0xC671_78F2,
]
