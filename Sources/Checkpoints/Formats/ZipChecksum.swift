/// CRC-32 as zip files have it: polynomial 0x04C11DB7, bits reflected, begun and ended with ones.
///
/// One table gives the remainder of one byte. The remainder is linear, so that of sixteen bytes is
/// the sum of sixteen remainders, each from the table for a byte with as many zero bytes after it:
/// sixteen look-ups that need not wait for one another.
func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
  var state = UInt32.max
  guard let base = bytes.baseAddress else { return ~state }
  checksumTables.withUnsafeBufferPointer { tables in
    func look(_ word: UInt32, _ first: Int) -> UInt32 {
      tables[first + Int(word & 0xFF)]
        ^ tables[first - 256 + Int(word >> 8 & 0xFF)]
        ^ tables[first - 512 + Int(word >> 16 & 0xFF)]
        ^ tables[first - 768 + Int(word >> 24)]
    }
    func word(_ offset: Int) -> UInt32 {
      UInt32(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    let whole = bytes.count & ~15
    var place = 0
    while place < whole {
      state =
        look(word(place) ^ state, 15 * 256) ^ look(word(place + 4), 11 * 256)
        ^ look(word(place + 8), 7 * 256) ^ look(word(place + 12), 3 * 256)
      place += 16
    }
    while place < bytes.count {
      state = tables[Int((state ^ UInt32(bytes[place])) & 0xFF)] ^ state >> 8
      place += 1
    }
  }
  return ~state
}

/// Sixteen tables of 256: table k is for a byte with k zero bytes after it.
private let checksumTables: [UInt32] = {
  var tables = [UInt32](repeating: 0, count: 16 * 256)
  for byte in 0..<256 {
    var remainder = UInt32(byte)
    for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 1 ? 0xEDB8_8320 : 0) }
    tables[byte] = remainder
  }
  for index in 256..<tables.count {
    let before = tables[index - 256]
    tables[index] = before >> 8 ^ tables[Int(before & 0xFF)]
  }
  return tables
}()
