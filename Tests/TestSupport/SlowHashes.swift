import Foundation

/// Hashes as their standards write them down, one byte and one round after another.
public enum SlowHash {
  /// SHA-256, as hexadecimal digits; its constants are worked out from the first primes.
  public static func sha256(_ bytes: [UInt8]) -> String {
    let primes = (2...311).filter { number in !(2..<number).contains { number % $0 == 0 } }
    func fraction(_ root: Double) -> UInt32 { UInt32((root - root.rounded(.down)) * 0x1p32) }
    var state = primes.prefix(8).map { fraction(Double($0).squareRoot()) }
    let constants = primes.map { fraction(cbrt(Double($0))) }
    func rotate(_ word: UInt32, _ by: UInt32) -> UInt32 { word >> by | word << (32 - by) }
    for block in blocks(bytes) {
      var words = block
      for index in 16..<64 {
        let (a, b) = (words[index - 15], words[index - 2])
        words.append(
          words[index - 16] &+ words[index - 7]
            &+ (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3)
            &+ (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10))
      }
      var now = state
      for index in 0..<64 {
        let (a, e) = (now[0], now[4])
        let first =
          now[7] &+ (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25))
          &+ (e & now[5] ^ ~e & now[6]) &+ constants[index] &+ words[index]
        let second =
          (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22))
          &+ (a & now[1] ^ a & now[2] ^ now[1] & now[2])
        now = [first &+ second] + now[0..<7]
        now[4] &+= first
      }
      for index in 0..<8 { state[index] &+= now[index] }
    }
    return hexadecimal(state)
  }

  /// Git's name of a file with these bytes: the SHA-1 of `blob SIZE`, a zero and the bytes.
  public static func gitBlob(_ bytes: [UInt8]) -> String {
    var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
    func rotate(_ word: UInt32, _ by: UInt32) -> UInt32 { word << by | word >> (32 - by) }
    for block in blocks(Array("blob \(bytes.count)".utf8) + [0] + bytes) {
      var words = block
      for index in 16..<80 {
        words.append(
          rotate(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1))
      }
      var now = state
      for (index, word) in words.enumerated() {
        let (b, c, d) = (now[1], now[2], now[3])
        let choice =
          index < 20 ? (b & c) | (~b & d) : index < 40 || index > 59 ? b ^ c ^ d : majority(b, c, d)
        let constant = ([2, 3, 5, 10] as [Double])[index / 20].squareRoot() * 0x1p30
        let next = rotate(now[0], 5) &+ choice &+ now[4] &+ UInt32(constant) &+ word
        now = [next, now[0], rotate(b, 30), c, d]
      }
      for index in 0..<5 { state[index] &+= now[index] }
    }
    return hexadecimal(state)
  }

  private static func majority(_ a: UInt32, _ b: UInt32, _ c: UInt32) -> UInt32 {
    (a & b) | (a & c) | (b & c)
  }

  /// The padded message as blocks of sixteen words.
  private static func blocks(_ bytes: [UInt8]) -> [[UInt32]] {
    var message = bytes + [0x80]
    while message.count % 64 != 56 { message.append(0) }
    let length = UInt64(bytes.count) * 8
    message += (0..<8).map { UInt8(truncatingIfNeeded: length >> (56 - 8 * UInt64($0))) }
    let words = stride(from: 0, to: message.count, by: 4).map { place in
      message[place..<place + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    }
    return stride(from: 0, to: words.count, by: 16).map { Array(words[$0..<$0 + 16]) }
  }

  private static func hexadecimal(_ words: [UInt32]) -> String {
    words.map { String(format: "%08x", $0) }.joined()
  }
}
